/**
 * Drives Debian's chromium over its DevTools protocol, without any package: enough to open a page and see what it did.
 * @module
 */

/** One thing that the browser reported. */
export interface BrowserEvent {
  readonly method: string;
  // deno-lint-ignore no-explicit-any
  readonly params: any;
}

/** An open page. */
export interface BrowserPage extends AsyncDisposable {
  /** Everything reported since the page was opened. */
  readonly events: readonly BrowserEvent[];
  /** Sends a command of the protocol and returns its result. */
  // deno-lint-ignore no-explicit-any
  send(method: string, params?: Record<string, unknown>): Promise<any>;
  /** Opens an address and waits until it is loaded. */
  open(address: string): Promise<void>;
  /** Evaluates an expression in the page. */
  evaluate<T>(expression: string): Promise<T>;
}

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--hide-scrollbars",
  "--remote-debugging-port=0",
];

/** Starts chromium with a fresh profile and opens an empty page; disposing of it ends the browser. */
export async function openBrowser(program = "chromium"): Promise<BrowserPage> {
  const profile = await Deno.makeTempDir({ prefix: "tomosieve-chromium-" });
  const child = new Deno.Command(program, {
    args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const port = await readPort(child.stderr);
  const targets = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json() as { type: string; webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(targets.find(({ type }) => type === "page")!.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const events: BrowserEvent[] = [];
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let loaded: (() => void) | null = null;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.id === undefined) {
      events.push(message);
      if (message.method === "Page.loadEventFired") loaded?.();
      return;
    }
    const waiter = waiting.get(message.id)!;
    waiting.delete(message.id);
    if (message.error) waiter.reject(new Error(message.error.message));
    else waiter.resolve(message.result);
  };
  let last = 0;
  // deno-lint-ignore no-explicit-any
  const send = (method: string, params: Record<string, unknown> = {}): Promise<any> => {
    const id = ++last;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  };
  for (const domain of ["Page", "Runtime", "Network", "Log", "Audits"]) await send(`${domain}.enable`);
  return {
    events,
    send,
    async open(address) {
      const done = new Promise<void>((resolve) => loaded = resolve);
      await send("Page.navigate", { url: address });
      await done;
    },
    async evaluate<T>(expression: string): Promise<T> {
      const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value as T;
    },
    async [Symbol.asyncDispose]() {
      await send("Browser.close").catch(() => {});
      socket.close();
      await child.status;
      await Deno.remove(profile, { recursive: true }).catch(() => {});
    },
  };
}

/** Gives the page the size of a screen, and a colour scheme. */
export async function resizePage(page: BrowserPage, width: number, height: number, dark: boolean): Promise<void> {
  await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
}

/** Where chromium is, or null. */
export function findChromium(): string | null {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      if (Deno.statSync(`${folder}/chromium`).isFile) return `${folder}/chromium`;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** The port that chromium says it listens on. */
async function readPort(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stderr.getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`chromium ended before it listened:\n${text}`);
    text += new TextDecoder().decode(value, { stream: true });
    const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
    if (port === undefined) continue;
    // Keep the pipe empty, or the browser stops when it is full.
    (async () => {
      while (!(await reader.read()).done);
    })();
    return port;
  }
}
