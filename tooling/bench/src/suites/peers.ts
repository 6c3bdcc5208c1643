import type { Bench } from '../bench.js';
import { callbackBody } from '../callback-request.js';
import type { Contender } from '../contender.js';
import { type DeliveredCase, measureRounds } from '../delivered-rounds.js';
import { type Peer, toContender } from '../peers/peer.js';
import { peers } from '../peers/peers.js';
import type { Section } from '../report.js';
import { isWanted, type Suite, type SuiteOptions } from '../suite.js';
import { deliveredColumns, deliveredRow } from './delivered-table.js';
import { fullSizes, quickSizes } from './sizes.js';

/** Suite that finds the best settings of the peers, so that each is compared at its best. */
export const peersSuite: Suite = {
  name: 'peers',
  description: 'Every peer with each of its candidate settings; the best one is listed first.',
  sections: Object.fromEntries(peers.map(({ name }) => [name, `delivered/s of ${name}`])),
  peers: peers.map(({ name }) => name),
  async run(bench, options) {
    const sections: Section[] = [];
    for (const peer of peers) {
      if (isWanted(options, peer.name)) sections.push(await measurePeer(bench, peer, options));
    }
    return sections;
  },
};

async function measurePeer(bench: Bench, peer: Peer, { quick }: SuiteOptions): Promise<Section> {
  const sizes = quick ? quickSizes : fullSizes;
  const { url } = bench.receiver;
  const cases = peer.candidates.map((settings, index): DeliveredCase => {
    const contender: Contender = toContender(peer, callbackBody, settings);
    const due = { kind: 'ready', count: sizes.callbacks, url } as const;
    return { id: `${peer.name}-${index + 1}`, contender, background: [], due };
  });
  const results = await measureRounds(bench, cases, sizes.rounds);
  const rows = cases
    .map((each) => deliveredRow(each.contender, results.get(each.id)))
    .sort((a, b) => Number(b[1]) - Number(a[1]));
  return {
    id: peer.name,
    title: peer.name,
    columns: deliveredColumns,
    rows,
    bars: [],
    notes: [],
  };
}
