/**
 * Which replicas stay out of the kernel with `sync.replicas: cold`.
 *
 * A packet whose flow the kernel does not know is judged by its own tuple. That must lead to the
 * bucket of its flow, or nowhere: else this node would let in what another one carries.
 *
 *     TCP, no first SYN       conntrack finds it INVALID, in each hash mode
 *     mode tuple              either direction gives the bucket; a translated port names it
 *     other modes             a reply that is not TCP's would be taken for an opener: stays in
 *     helper, master,         the tuple does not tell (Detours): stays in, and so do expectations,
 *     others' translation     which the kernel has to have before their first packet
 */
import type { Replicated } from "../flows/record.js";
import { detourTest } from "./detours.js";

const TCP = 6;

export interface ColdView {
  /** Addresses that `nat` translates to. */
  readonly translated: readonly Uint8Array[];
}

/** @param isOpenerHashed whether only the opener is hashed (modes source and xt-cluster) */
export function isKeptOut(
  { translated }: ColdView,
  isOpenerHashed: boolean,
): (record: Replicated) => boolean {
  const isDetour = detourTest(translated);
  return (record) => !isDetour(record) && (!isOpenerHashed || record.protocol === TCP);
}
