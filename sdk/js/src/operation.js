/**
 * Values derived from the operation, so that the offline and the playback run agree. None of them
 * reads the machine: a plug-in that uses only these is deterministic.
 */

import { current } from "./host.js";

/** When the operation was made: the same in both runs. */
export const now = () => current().now();
/** The clock of the machine that runs now. It differs between the runs; for deadlines only. */
export const serverNow = () => current().serverNow();
/** A new id; the n-th call of a run returns the same in both runs. */
export const newGuid = () => current().newGuid();
/**
 * An id that depends on the root operation, the step and `key` only: the choice for rows made in a
 * loop whose order may differ between the runs.
 */
export const keyedGuid = (key) => current().keyedGuid(key);
/** 64 random bits as a bigint; the n-th call of a run returns the same in both runs. */
export const randomBits = () => current().random();
/** Writes one line into the trace; rows of the trace survive a rollback. */
export const trace = (text) => current().trace(String(text));
