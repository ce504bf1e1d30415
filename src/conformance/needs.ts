import type { Capabilities } from "../ports/capabilities.ts";
import type { Needs } from "./suite.ts";

type Flag = {
  [Name in keyof Capabilities]: Capabilities[Name] extends boolean ? Name : never;
}[keyof Capabilities];

/** The engine declares this capability. */
export const capability =
  (name: Flag): Needs =>
  ({ capabilities }) =>
    capabilities[name] ? undefined : `the engine does not declare ${name}`;

/** The engine has this port. */
export const port =
  (name: "state" | "timers" | "leases" | "transact"): Needs =>
  ({ opened }) =>
    opened.engine[name] === undefined ? `the engine has no ${name}` : undefined;

/** Another engine on the same data can be had. A factory of an engine that processes share must offer it. */
export const secondHandle: Needs = ({ capabilities, opened }) => {
  if (opened.second || capabilities.sharedByProcesses) return undefined;
  return "the data of the engine cannot be opened twice at once";
};

/** The data outlive the engine. A factory of a persistent engine must offer it. */
export const reopening: Needs = ({ capabilities, opened }) => {
  if (opened.reopen || capabilities.persistent) return undefined;
  return "the data end with the engine";
};

/** The factory can damage what is stored. */
export const damaging: Needs = ({ opened }) =>
  opened.damage ? undefined : "the factory has no way to damage a stored record";

/** The factory can look at subscriptions as the engine's own tools do. */
export const toolsOfItsOwn: Needs = ({ opened }) =>
  opened.shownPositions ? undefined : "the factory has no way to see what the engine's own tools see";

/** The factory can lose an answer. */
export const losingAnswers: Needs = ({ opened }) =>
  opened.loseNextAnswer ? undefined : "the factory has no way to lose an answer";

/** The factory says how long ids are remembered. */
export const knownWindow: Needs = ({ opened }) =>
  opened.deduplicationWindowMs === undefined ? "the factory does not say how long ids are remembered" : undefined;

/** Every legal name of a topic can be had beside all others. */
export const everyName: Needs = ({ opened }) => opened.namesLimited;

/** Every one of these. */
export const all =
  (...needs: readonly Needs[]): Needs =>
  (offer) => {
    for (const need of needs) {
      const reason = need(offer);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
