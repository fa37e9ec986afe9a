import onednn from "../../../plugins/engines/onednn/mod.ts";
import { createContext } from "./context.ts";
import { parityTests } from "./parity.ts";

const openOnednn = async () => await onednn.create({ threads: 2 }, createContext(), {});
parityTests("onednn", openOnednn);
