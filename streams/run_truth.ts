import type { TruthView } from "./contract.ts";
import type { Session } from "./session.ts";
export function scoreParticles(_session: Session): Promise<TruthView> {
  throw new Error("not yet");
}
