/** Collects what one call of the reducer asks for, in order. */
import type { ClusterEvent, FlowInput, Output } from "./output.js";
import type { Transport } from "./transport/transport.js";

export class Outbox {
  private outputs: Output[] = [];

  constructor(
    private readonly transport: Transport,
    private readonly links: number,
  ) {}

  push(output: Output): void {
    this.outputs.push(output);
  }

  tell(event: ClusterEvent): void {
    this.outputs.push({ kind: "event", event });
  }

  /** Hands something to the layers above membership. */
  up(input: FlowInput): void {
    this.outputs.push({ kind: "up", input });
  }

  /** Sends a body on every link; whoever hears it twice takes it once. */
  send(body: Uint8Array): void {
    for (let link = 0; link < this.links; link++) {
      this.outputs.push({ kind: "send", link, bytes: this.transport.seal(link, body) });
    }
  }

  flush(): Output[] {
    const outputs = this.outputs;
    this.outputs = [];
    return outputs;
  }
}
