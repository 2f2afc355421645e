# SPDX-License-Identifier: MIT
"""
What led to what. A chain is one interrupt from the device's message to the guest's EOI, or one
request of DMA: a number, under which the page finds its steps.

From: lab/play/story.py and its tellers
"""

from dataclasses import dataclass


@dataclass
class Chain:
    number: int
    kind: str               # "interrupt", "dma"
    name: str
    vcpu: str = ""
    vector: int = -1
    state: str = ""         # of the vCPU when the interrupt was posted


class Chains:
    def __init__(self):
        self.all = []
        self.requests = {}      # source-id -> its request that is under way
        self.posted = {}        # (vCPU, vector) -> {chain}
        self.served = {}        # (vCPU, vector) -> {chain}
        self.rung = {}          # (CPU, host vector) -> {chain}
        self.remapped = []      # sent to a host vector, and not yet seen by Hamlet
        self.faults = {}        # source-id -> [chains] of faults that Hamlet has not read yet
        self.handled = {}       # CPU -> chain that Hamlet handles there
        self.last = None        # the chain of the unit's last post

    def begin(self, kind, name):
        self.all.append(Chain(len(self.all), kind, name))
        return self.all[-1]

    def request(self, sid, kind, name, fresh=False):
        """The chain of what this requester is doing now."""
        if fresh or sid not in self.requests:
            self.requests[sid] = self.begin(kind, name)
        return self.requests[sid].number

    def request_of(self, sid):
        chain = self.requests.get(sid)
        return {chain.number} if chain else set()

    def request_ends(self, sid):
        self.requests.pop(sid, None)

    def post(self, chain, vcpu, vector, state):
        found = self.all[chain]
        found.vcpu, found.vector, found.state = vcpu, vector, state
        self.posted.setdefault((vcpu, vector), set()).add(chain)

    def waiting(self, vcpu, vector=None):
        """Posted and not delivered; all vectors if none is named."""
        return set().union(*(chains for (who, which), chains in self.posted.items()
                             if who == vcpu and vector in (None, which)))

    def answered(self, chains):
        """What was notified has had its effect, without an exit."""
        for waiting in self.rung.values():
            waiting -= chains

    def deliver(self, vcpu, vector):
        chains = self.posted.pop((vcpu, vector), set())
        self.served.setdefault((vcpu, vector), set()).update(chains)
        return chains

    def end(self, vcpu, vector):
        return self.served.pop((vcpu, vector), set())

    def fault(self, sid, chains, rung=None):
        """`rung`: (CPU, host vector) of the unit's event, if it has sent one."""
        self.faults.setdefault(sid, []).append(chains)
        if rung:
            self.rung.setdefault(rung, set()).update(chains)

    def fault_read(self, sid):
        waiting = self.faults.get(sid)
        return waiting.pop(0) if waiting else set()

    def last_post(self):
        return {self.last} if self.last is not None else set()
