// What grafana/dashboard.json must be. The test writes this, then the dashboard, into one file for tsc.
import type { Dashboard } from "@grafana/schema";

// JSON has no enums, only their values.
type Plain<T> = T extends string ? `${T}`
    : T extends number ? number
    : T extends (infer U)[] ? Plain<U>[]
    : T extends object ? { [K in keyof T]: Plain<T[K]> }
    : T;

export const dashboard: Plain<Dashboard> =
