/**
 * What a run has done so far: `run.sqlite`, one writer. A tomogram stands here only after its boxes are on disk under their final name.
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import type { RunEvent, TomogramRecord } from "./contract.ts";
import { RunError } from "./errors.ts";

const SCHEMA = `
create table if not exists facts (key text primary key, value text not null);
create table if not exists tomograms (ordinal integer primary key, id text not null, status text not null, record text not null);
create table if not exists particles (
  tomogram integer not null, pick integer not null, x real, y real, z real, score real, rot real, tilt real, psi real, columns text not null,
  class integer, log_likelihood real, novel integer, primary key (tomogram, pick)) without rowid;
create table if not exists iterations ("index" integer primary key, figures text not null);
create table if not exists events (type text not null, stage text not null, code text not null, message text not null,
  tomogram integer not null, count integer, unique (type, stage, code, message, tomogram));
`;

/** One particle as it is recorded when its tomogram is done. */
export interface ParticleRecord {
  readonly tomogram: number;
  readonly pick: number;
  /** x, y, z in voxels; NaN for a stack of boxes. */
  readonly centreXyz: readonly [number, number, number];
  readonly score: number;
  readonly eulerZyzDegrees?: readonly [number, number, number];
  readonly columns: Readonly<Record<string, string | number>>;
}

/** A particle read back, with its label when there is one. */
export interface LabelledParticle extends ParticleRecord {
  readonly classId: number | null;
  readonly logLikelihood: number;
  readonly novel: boolean;
}

type Row = Record<string, number | string | null>;

/** The run's record on disk. */
export class Ledger implements Disposable {
  readonly #path: string;
  #database: DatabaseSync;

  /** Opens or makes `path`. `readOnly` is for reports of a finished run. */
  constructor(path: string, options: { readOnly?: boolean } = {}) {
    this.#path = path;
    try {
      this.#database = new DatabaseSync(path, { readOnly: options.readOnly ?? false });
      if (!options.readOnly) {
        // No write-ahead log: run folders stand on network disks too, and there is one writer with few transactions.
        this.#database.exec("pragma journal_mode = delete; pragma synchronous = full;");
        this.#database.exec(SCHEMA);
      }
    } catch (cause) {
      const full = diskFull(path, cause);
      if (full !== null) throw full;
      throw new RunError(
        `${path}: cannot be opened as a run's record (${
          cause instanceof Error ? cause.message : cause
        }): is this the folder of a run? If it is, it is damaged: use another run.dir`,
        { cause },
      );
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** All or nothing. */
  #transaction(work: () => void): void {
    this.#database.exec("begin immediate");
    try {
      work();
      this.#database.exec("commit");
    } catch (error) {
      try {
        this.#database.exec("rollback");
      } catch { /* SQLite has rolled back by itself: it does so when the disk is full */ }
      throw diskFull(this.#path, error) ?? error;
    }
  }
  /** One statement that writes. */
  #write(statement: string, ...values: (string | number | null)[]): void {
    try {
      this.#database.prepare(statement).run(...values);
    } catch (error) {
      throw diskFull(this.#path, error) ?? error;
    }
  }

  /** Remembers a JSON value under a name. */
  setFact(key: string, value: unknown): void {
    this.#write("insert or replace into facts values (?, ?)", key, JSON.stringify(value));
  }
  /** The value remembered, or null. */
  fact<T>(key: string): T | null {
    const row = this.#database.prepare("select value from facts where key = ?").get(key) as Row | undefined;
    return row ? JSON.parse(row.value as string) as T : null;
  }

  /** Records a tomogram whose work is over, with its particles. `dropped`: it failed and was left out. */
  finishTomogram(record: TomogramRecord, particles: readonly ParticleRecord[], status: "done" | "dropped" = "done"): void {
    this.#transaction(() => {
      this.#database.prepare("insert or replace into tomograms values (?, ?, ?, ?)").run(
        record.ordinal,
        record.id,
        status,
        JSON.stringify(record),
      );
      this.#database.prepare("delete from particles where tomogram = ?").run(record.ordinal);
      const insert = this.#database.prepare("insert into particles values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, null, null)");
      for (const p of particles) {
        const [x, y, z] = p.centreXyz.map(nullIfNaN), [rot, tilt, psi] = p.eulerZyzDegrees ?? [null, null, null];
        insert.run(p.tomogram, p.pick, x, y, z, p.score, rot, tilt, psi, JSON.stringify(p.columns));
      }
    });
  }

  /** Records in ordinal order. */
  tomograms(): { status: string; record: TomogramRecord }[] {
    return (this.#database.prepare("select status, record from tomograms order by ordinal").all() as Row[])
      .map((row) => ({ status: row.status as string, record: JSON.parse(row.record as string) }));
  }

  /** Every particle in row order: tomogram, then pick. */
  particles(): LabelledParticle[] {
    return (this.#database.prepare("select * from particles order by tomogram, pick").all() as Row[]).map((row) => ({
      tomogram: row.tomogram as number,
      pick: row.pick as number,
      centreXyz: [row.x ?? NaN, row.y ?? NaN, row.z ?? NaN] as [number, number, number],
      score: row.score as number,
      eulerZyzDegrees: row.rot === null ? undefined : [row.rot, row.tilt, row.psi] as [number, number, number],
      columns: JSON.parse(row.columns as string),
      classId: row.class as number | null,
      logLikelihood: (row.log_likelihood as number | null) ?? NaN,
      novel: row.novel === 1,
    }));
  }

  /** Writes the labels of all particles at once; `rows` is `[n, 2]`. */
  setLabels(rows: Int32Array, classIds: Int32Array, logLikelihood: Float64Array | null, novel: Uint8Array): void {
    this.#transaction(() => {
      const update = this.#database.prepare(
        "update particles set class = ?, log_likelihood = ?, novel = ? where tomogram = ? and pick = ?",
      );
      for (let i = 0; i < classIds.length; i++) {
        update.run(classIds[i], logLikelihood ? nullIfNaN(logLikelihood[i]) : null, novel[i], rows[2 * i], rows[2 * i + 1]);
      }
    });
  }

  /** Records one iteration's figures; a repeated one (after resume) replaces what stood there. */
  setIteration(index: number, figures: Readonly<Record<string, unknown>>): void {
    this.#write("insert or replace into iterations values (?, ?)", index, JSON.stringify(figures));
  }
  /** Figures of all iterations, in order. */
  iterations(): Record<string, number | string | null>[] {
    return (this.#database.prepare('select figures from iterations order by "index"').all() as Row[]).map((row) =>
      JSON.parse(row.figures as string)
    );
  }

  /**
   * Records an event; the same words of the same stage about the same tomogram (-1: none) stand once. A count replaces the one before, so
   * that a tomogram that is done again after a kill is not counted twice.
   */
  addEvent(event: RunEvent, tomogram = -1): void {
    const { type, stage, code, message, count } = event;
    this.#write("insert or replace into events values (?, ?, ?, ?, ?, ?)", type, stage, code, message, tomogram, count ?? null);
  }
  /** Events, counts added up over tomograms, in an order that does not depend on interruptions. */
  events(): RunEvent[] {
    return (this.#database.prepare(
      "select type, stage, code, message, sum(count) as count from events group by type, stage, code, message order by min(tomogram), min(rowid)",
    ).all() as Row[]).map((row) => ({
      type: row.type as RunEvent["type"],
      stage: row.stage as string,
      code: row.code as string,
      message: row.message as string,
      ...(row.count === null ? {} : { count: row.count as number }),
    }));
  }
}

/** The words for a full disk, or null where `error` says anything else. */
function diskFull(path: string, error: unknown): RunError | null {
  if (!(error instanceof Error) || !/database or disk is full/.test(error.message)) return null;
  return new RunError(`${path}: cannot be written: the disk (or quota) is full: free some space and use --resume`, { cause: error });
}

function nullIfNaN(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
