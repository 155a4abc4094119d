/**
 * Where packets come from and verdicts go to. Kept this narrow so that another backend needs no
 * change in the loop: AF_PACKET rings can stand in for the queue.
 */
import type { Batch } from "../batch.js";

export interface Capture {
  /**
   * Waits for packets, at most `timeoutMs`, and fills `batch`; its count is 0 when none came.
   * @throws OpError when the source is gone
   */
  receive(batch: Batch, timeoutMs: number): void;
  /** Sends the verdicts and marks of `batch`. @throws OpError when the source is gone */
  settle(batch: Batch): void;
  /** Losses and refusals seen by this side, since the start. */
  readonly losses: CaptureLosses;
  close(): void;
}

export interface CaptureLosses {
  /** times that the kernel had packets for us and no room in the buffer */
  readonly overruns: number;
  /** verdicts that the kernel did not take */
  readonly verdictErrors: number;
  /** messages that held no packet */
  readonly unreadable: number;
}
