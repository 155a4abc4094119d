/** What becomes of a node in the middle of a transfer, and how it comes back. */
import { ask } from "../../dist/cli/client.js";
import { CABLES, portOf } from "../../dist/demo/topology.js";
import { run } from "./run.mjs";

/** The link to the peers first: a node that loses another one would still tell them so. */
const LINKS = Object.entries(CABLES).reverse();

const setCables = (lab, victim, state) => {
  const set = ([cable]) => run(lab, "switch", ["ip", "link", "set", portOf(cable, victim), state]);
  return Promise.all(LINKS.map(set));
};

const setLinks = (lab, victim, state) => {
  const set = ([, name]) => run(lab, `node${victim}`, ["ip", "link", "set", name, state]);
  return Promise.all(LINKS.map(set));
};

async function startAgain(lab, victim, restart) {
  await lab.node(victim).ended;
  restart(victim);
}

export const FATES = {
  none: {
    strike() {},
    heal() {},
  },
  SIGKILL: {
    strike: (lab, victim) => lab.node(victim).kill("SIGKILL"),
    heal: startAgain,
  },
  SIGSTOP: {
    strike: (lab, victim) => lab.node(victim).kill("SIGSTOP"),
    heal: (lab, victim) => lab.node(victim).kill("SIGCONT"),
  },
  "no-carrier": {
    strike: (lab, victim) => setCables(lab, victim, "down"),
    heal: (lab, victim) => setCables(lab, victim, "up"),
  },
  "links-down": {
    strike: (lab, victim) => setLinks(lab, victim, "down"),
    heal: (lab, victim) => setLinks(lab, victim, "up"),
  },
  drain: {
    strike: (lab, victim) => ask(lab.node(victim).files.socket, "POST", "/v1/drain"),
    heal: (lab, victim) => ask(lab.node(victim).files.socket, "POST", "/v1/join"),
  },
  SIGTERM: {
    strike: (lab, victim) => lab.node(victim).kill("SIGTERM"),
    heal: startAgain,
  },
};
