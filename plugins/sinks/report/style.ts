/**
 * The report's style sheet: one column of text and pictures that reads on a screen, on a telephone, in the dark and on paper.
 * @module
 */

/** The style sheet, without the rules of the class filter. */
export const STYLE: string = `
:root{color-scheme:light dark;--page:#fcfcfb;--card:#fff;--ink:#1a1e24;--soft:#5b6573;--faint:#8b94a1;--line:#e2e5e9;--tint:27,105,195;--accent:#1b69c3;--warn:#a4500a}
@media (prefers-color-scheme:dark){:root{--page:#14171c;--card:#1b1f26;--ink:#e6e9ee;--soft:#a3adba;--faint:#76808e;--line:#2d333d;--tint:96,165,250;--accent:#6cb0ff;--warn:#f0a35e}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:4rem}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main,.top{max-width:72rem;margin:0 auto;padding:0 1.5rem}
.top{padding-top:2.5rem}
.over{margin:0 0 .6rem;color:var(--soft);font-size:.9rem}
.over span{font-weight:600;color:var(--accent);margin-right:.4rem}
h1{margin:0;font-size:clamp(1.7rem,4.5vw,2.6rem);line-height:1.15;font-weight:650;letter-spacing:-.02em;text-wrap:balance}
h2{margin:0 0 .3rem;font-size:1.4rem;line-height:1.25;font-weight:650;letter-spacing:-.01em}
h3{margin:1.8rem 0 .6rem;font-size:1rem;font-weight:650}
p{margin:0 0 .8rem;max-width:46rem;text-wrap:pretty}
.lead{margin:.8rem 0 1.6rem;font-size:1.1rem;color:var(--soft)}
.how,figcaption{color:var(--soft);font-size:.9rem}
figcaption b{color:var(--ink);font-weight:600}
.how{margin-bottom:1.2rem}
section{margin:3.2rem 0 0}
figure{margin:0;min-width:0}
svg,img{display:block;max-width:100%}
code{font:.92em ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.shares{border-radius:6px;overflow:hidden}
.shares rect{stroke:var(--page);stroke-width:2}
.shares text{font-size:14px;font-weight:600;fill:#fff}
.shares path{fill:none;stroke:#fff;stroke-width:2}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1.2rem 2rem;margin:1.6rem 0 0}
.facts dt{color:var(--soft);font-size:.85rem}
.facts dd{margin:0;font-size:1.35rem;font-weight:600;line-height:1.3}
.facts small{display:block;font-size:.8rem;font-weight:400;color:var(--soft);line-height:1.35}
.filter{position:sticky;top:0;min-width:0;z-index:2;display:flex;gap:.35rem;align-items:center;max-width:72rem;margin:2rem auto 0;padding:.6rem 1.5rem;border:0;border-bottom:1px solid var(--line);background:var(--page);overflow-x:auto;white-space:nowrap;font-size:.9rem}
.filter legend{float:left;padding:0;margin-right:.4rem;color:var(--soft)}
.filter label{flex:none;display:inline-flex;gap:.35rem;align-items:center;padding:.15rem .6rem;border:1px solid var(--line);border-radius:99px;cursor:pointer}
.filter input{position:absolute;opacity:0;pointer-events:none}
.filter label:has(:checked){border-color:var(--accent);background:rgba(var(--tint),.13)}
.filter label:has(:focus-visible){outline:2px solid var(--accent);outline-offset:1px}
[data-c]{transition:opacity .15s}
.marker{display:inline-block;width:1.05em;height:1.05em;vertical-align:-.16em;overflow:visible}
table{border-collapse:collapse;font-size:.9rem;width:100%;overflow-wrap:normal}
table small,td bdi,th bdi{overflow-wrap:break-word}
th,td{padding:.42rem 1.2rem .42rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);font-weight:400}
thead th{color:var(--soft);font-size:.82rem;vertical-align:bottom}
.n{text-align:right;white-space:nowrap}
thead .n{white-space:normal}
tr>:last-child{padding-right:0}
.scroll{overflow-x:auto}
.records{white-space:nowrap}
.scores td{font-size:1.05rem;font-weight:600}
.scores small{display:block;color:var(--soft);font-size:.8rem}
.scores tbody+tbody tr:first-child>*{border-top:2px solid var(--line)}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:2rem 2.5rem;align-items:start}
.confusion{margin-top:.5rem;width:auto}
.confusion td,.confusion thead th{text-align:center;padding:.45rem .5rem;min-width:2.9rem;border:2px solid var(--page);border-radius:6px}
.confusion tbody th{padding-right:.8rem;border:0;vertical-align:middle;white-space:nowrap}
.confusion .total{border:0;color:var(--soft)}
.confusion .zero{color:var(--faint)}
${[1, 2, 3, 4, 5, 6, 7, 8, 9].map((step) => `.h${step}{background:rgba(var(--tint),${(0.06 + 0.055 * step).toFixed(3)})}`).join("\n")}
.tomogram{display:grid;grid-template-columns:minmax(0,2.1fr) minmax(0,1fr);gap:.9rem 1.2rem;align-items:start;margin-bottom:1.8rem}
.alone{grid-template-columns:minmax(0,1fr)}
.panel p{margin:.25rem 0 0;font-size:.82rem;color:var(--soft)}
.tomogram figcaption b,.tomogram figcaption i{display:block;font-style:normal}
.tomogram figcaption b{font-size:1rem}
.side{display:grid;gap:.9rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1.4rem;margin:0 0 1.6rem}
.tiles figcaption{margin-top:.3rem}
.section{width:100%;height:auto;border-radius:4px;background:#777}
.rim,.ring{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.rim{stroke:#fff;stroke-opacity:.75;stroke-width:3.4px}
.ring{stroke-width:1.9px}
.bar path{stroke:#fff;stroke-width:3px;vector-effect:non-scaling-stroke}
.bar .barrim{stroke:#000;stroke-opacity:.55;stroke-width:6px}
.bar text{fill:#fff;stroke:#000;stroke-opacity:.55;stroke-width:.16em;paint-order:stroke;font-weight:600}
.classes{display:grid}
article{display:grid;grid-template-columns:13.5rem minmax(0,1fr) minmax(0,1.25fr);gap:1rem 2.5rem;padding:1.4rem 0;border-top:1px solid var(--line);align-items:start}
article h3{margin:0 0 .2rem;font-size:1.1rem}
article header p{margin:0 0 .5rem}
article header p span{color:var(--soft);margin-left:.4rem}
article dl{margin:0;font-size:.85rem}
article dl div{display:flex;justify-content:space-between;gap:.8rem;padding:.15rem 0}
article dt{color:var(--soft)}
article dt{flex:none}
article dd{margin:0;text-align:right;font-weight:550;min-width:0}
article figcaption{font-size:.82rem;margin:.3rem 0 .7rem}
.slices{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:5px}
.slice small{display:block;color:var(--faint);font-size:.72rem;text-align:center;line-height:1.5}
.slices img{width:100%;height:auto;border-radius:3px;background:#777}
.members .slices{grid-template-columns:repeat(4,minmax(0,1fr))}
.volumes{display:grid;gap:.3rem;max-width:24rem}
.map,.chart svg,.lineage svg{width:100%;height:auto}
.chart svg{overflow:visible}
.frame{fill:var(--card);stroke:var(--line)}
.point{fill-opacity:.62}
@media screen and (prefers-color-scheme:dark){.point{fill-opacity:.85}.map path[data-c],.marker,.ofclass{filter:brightness(1.3)}}
.name{font-size:17px;font-weight:700;fill:var(--ink);stroke:var(--card);stroke-width:4px;paint-order:stroke;stroke-linejoin:round}
.map{margin-top:.5rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:1.6rem 2rem}
.chart{max-width:23rem}
.chart figcaption{min-height:2.9em;line-height:1.4}
.grid{stroke:var(--line);stroke-width:1}
.tick,.axis{font-size:11px;fill:var(--soft)}
.line{fill:none;stroke:var(--accent);stroke-width:1.8;stroke-linejoin:round}
.dots{fill:var(--accent)}
.kept{stroke:var(--faint);stroke-width:1;stroke-dasharray:3 3}
.keptdot{fill:var(--page);stroke:var(--accent);stroke-width:2.4}
.value{font-size:12.5px;font-weight:650;fill:var(--ink);stroke:var(--page);stroke-width:4px;paint-order:stroke}
.lineage{margin-top:2rem}
.lineage svg{margin-top:.5rem}
.lineage g text{font-size:12px;font-weight:600}
.chosen td{font-weight:650;background:rgba(var(--tint),.1)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.85rem;color:var(--soft)}
.tables{display:grid;gap:1.4rem}
details{border:1px solid var(--line);border-radius:8px;padding:.6rem .9rem;background:var(--card)}
summary{cursor:pointer;font-weight:550}
details[open] summary{margin-bottom:.6rem}
pre{margin:0;overflow:auto;max-height:34rem;font:.8rem/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.events{margin:.8rem 0 0;padding:0;list-style:none}
.events li{padding:.45rem 0;border-top:1px solid var(--line);display:grid;grid-template-columns:13rem minmax(0,1fr);gap:.2rem 2rem}
.events span{color:var(--soft);font-size:.9rem}
.warned h2{color:var(--warn)}
.times{width:auto;min-width:min(100%,30rem)}
.times svg{width:12rem;height:10px;margin-top:.45rem}
.times td:last-child{padding-left:1rem}
.time{fill:var(--accent);opacity:.55}
footer{max-width:72rem;margin:4rem auto 0;padding:1rem 1.5rem 3rem;color:var(--faint);font-size:.85rem}
@media (max-width:60rem){article{grid-template-columns:minmax(0,1fr) minmax(0,1fr)}article header{grid-column:1/-1}article dl{columns:2;column-gap:2rem}}
@media (max-width:40rem){th,td{padding-right:.8rem}main,.top,footer{padding-left:1rem;padding-right:1rem}.filter{padding:.5rem 1rem}section{margin-top:2.4rem}.tomogram,article{grid-template-columns:minmax(0,1fr)}.side{grid-template-columns:repeat(2,minmax(0,1fr))}.events li{grid-template-columns:minmax(0,1fr)}article dl{columns:1}.facts{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--faint:#666;--line:#ccc;--tint:27,105,195;--accent:#1b69c3}body{font-size:10pt}.filter{display:none}section{margin-top:1.6rem}figure,article,tr{break-inside:avoid}h2,h3,.how{break-after:avoid}.pair{grid-template-columns:repeat(2,minmax(0,1fr));gap:1.2rem}pre{max-height:none;overflow:visible;white-space:pre-wrap}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
@media (prefers-reduced-motion:reduce){*{transition:none!important}}
`;
