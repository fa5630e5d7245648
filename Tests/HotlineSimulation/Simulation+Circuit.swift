import HotlineCore

/// What became of the dials of one upstream, and what must follow from that.
struct DialHistory {
  var lastFailureAt: Int64?
  var lastStatus: Int?
  /// Until when the server has asked to be left alone, and when it did so last.
  var notBefore: Int64 = 0
  var askedAt: Int64 = 0
  /// Instants of the latest dials that were made while no request was open.
  var idleDials: [Int64] = []
  var lastRequestAt: Int64 = 0

  /// The latest failure of a dial or, after it, what may count as one.
  var words: [ConnectionFailure] = []
  /// When the latest of `words` was said.
  var troubledAt: Int64?
  /// Since when at most, and at least, nothing but failures has been counted.
  var failingSince: Int64?
  var failingSurelySince: Int64?
  /// Connections in a row that may count as none.
  var unprovenCount = 0
  var hasOpenedSinceFailure = false
  /// From when on the circuit may be open, and whether it is.
  var mayBeOpenSince: Int64?
  var isSurelyOpen = false
  /// Before that no probe; after that one, where it is exact.
  var probeAt: Int64 = 0
  var probeStep: Int64 = .seconds(60)
  var isExact = true

  func isTroubled(at now: Int64) -> Bool {
    troubledAt.map { now - $0 < .seconds(1300) } ?? false
  }

  /// Earlier failures say nothing any more.
  mutating func forget() {
    lastFailureAt = nil
    notBefore = 0
    failingSince = nil
    failingSurelySince = nil
    unprovenCount = 0
    mayBeOpenSince = nil
    isSurelyOpen = false
    probeStep = .seconds(60)
    isExact = true
  }

  /// What the server has asked for after the dial of what opened began still holds.
  mutating func opened(dialedAt: Int64, hasProof: Bool) {
    if hasProof { unprovenCount = 0 }
    hasOpenedSinceFailure = true
    lastFailureAt = nil
    if askedAt <= dialedAt { notBefore = 0 }
    if unprovenCount < 3 { failingSince = nil }
    failingSurelySince = nil
    mayBeOpenSince = nil
    isSurelyOpen = false
    probeStep = .seconds(60)
    isExact = false
  }
}

extension ConnectionFailure {
  /// Waiting will not heal it.
  var isHopeless: Bool {
    switch kind {
    case .upgradeRefused: ![408, 425, 429].contains(status ?? 0) && (status ?? 0) < 500
    case .closed: closeCode == 1008 || closeCode == 4000
    case .protocolViolation: detail.contains("beta")
    default: false
    }
  }
}

extension Simulation {
  func hasOpen(_ index: Int) -> Bool {
    present.contains { number in
      connections[number].map { $0.upstream.rawValue == index && $0.isOpenToCore } ?? false
    }
  }

  /// It proved itself, if it did, after all that has failed: each does so once.
  private func hasProved(_ connection: SimulatedConnection) -> Bool {
    dials[connection.upstream.rawValue].troubledAt.map { connection.openedAt >= $0 } ?? true
  }

  func noteOpened(_ index: Int, dialedAt: Int64) {
    let hasProof = present.contains { number in
      connections[number].map {
        $0.upstream.rawValue == index && $0.isOpenToCore
          && $0.openedAt + .seconds(3) < timerCalledAt && hasProved($0)
      } ?? false
    }
    dials[index].opened(dialedAt: dialedAt, hasProof: hasProof)
  }

  /// The dial of a connection has failed.
  func noteDialFailure(of connection: SimulatedConnection, _ failure: ConnectionFailure) {
    let index = connection.upstream.rawValue
    let limits = scenario.upstreams[index].limits
    let asked = failure.retryAfter.map { min($0.nanoseconds, .seconds(600)) } ?? 0
    let noneIsOpen = !hasOpen(index)
    var dial = dials[index]
    if let last = dial.troubledAt {
      let due = max(last + .seconds(8), dial.notBefore)
      // Nobody had wanted a connection for a while: what failed then says nothing of how long.
      if now > due + limits.connectTimeout.nanoseconds { dial.failingSince = nil }
      if now > last + .seconds(8) { dial.failingSurelySince = nil }
    }
    if dial.hasOpenedSinceFailure { dial.unprovenCount += 1 }
    dial.hasOpenedSinceFailure = false
    if noneIsOpen {
      dial.failingSince = dial.failingSince ?? now
      dial.failingSurelySince = dial.failingSurelySince ?? now
    }
    dial.lastStatus = failure.status
    dial.lastFailureAt = now
    dial.troubledAt = now
    if failure.retryAfter != nil {
      dial.notBefore = max(dial.notBefore, now + asked)
      dial.askedAt = now
    }
    dial.words = [failure]
    let after = limits.circuitAfter.nanoseconds
    let mayOpen =
      failure.isHopeless || dial.mayBeOpenSince != nil
      || dial.failingSince.map { now - $0 >= after } ?? false
    let mustOpen =
      failure.isHopeless || dial.isSurelyOpen
      || dial.failingSurelySince.map { noneIsOpen && now - $0 >= after } ?? false
    if mayOpen, dial.mayBeOpenSince == nil || now >= dial.probeAt {
      if !dial.isSurelyOpen { dial.probeStep = .seconds(60) }
      if dial.mayBeOpenSince == nil, !mustOpen { dial.isExact = false }
      dial.mayBeOpenSince = dial.mayBeOpenSince ?? now
      dial.probeAt = now + max(dial.probeStep, asked)
      dial.probeStep = min(2 * dial.probeStep, .seconds(600))
    }
    dial.isSurelyOpen = mustOpen
    dials[index] = dial
  }

  /// A server that asks to be left alone for long is given up when it may have been failing for
  /// long enough, though nothing is dialled then; that it has been is sure when the timer comes.
  func noteWaitingInVain(isSure: Bool = false) {
    for index in dials.indices where !dials[index].isSurelyOpen {
      let after = scenario.upstreams[index].limits.circuitAfter.nanoseconds
      let dial = dials[index]
      func isDue(_ since: Int64?) -> Bool {
        since.map { now >= $0 + after && dial.notBefore > $0 + after } ?? false
      }
      guard isDue(dial.failingSince), !hasOpen(index), !isDialing(index) else { continue }
      if dial.mayBeOpenSince == nil {
        dials[index].mayBeOpenSince = now
        dials[index].probeAt = dial.notBefore
      }
      // Not where a leap of the clock went past all that the server asked for.
      dials[index].isSurelyOpen =
        isSure && isDue(dial.failingSurelySince) && dial.notBefore > now
      // It is not known whether the failure before has opened it, with a later probe and a longer
      // wait for the one after that.
      if dials[index].isSurelyOpen {
        dials[index].probeAt = min(dials[index].probeAt, dial.notBefore)
        guard dial.mayBeOpenSince != nil else { continue }
        dials[index].probeStep = .seconds(60)
        dials[index].isExact = false
      }
    }
  }

  /// Nothing is open and nothing may be dialled: that is as good as a failure.
  func noteNothingOpen() {
    for index in dials.indices
    where dials[index].notBefore > now && !hasOpen(index) && !isDialing(index) {
      dials[index].failingSince = dials[index].failingSince ?? now
      dials[index].failingSurelySince = dials[index].failingSurelySince ?? now
    }
  }

  private func isDialing(_ index: Int) -> Bool {
    present.contains { number in
      connections[number].map { $0.upstream.rawValue == index && $0.isDialing } ?? false
    }
  }

  /// Something that the core may count as a failure to connect: the end of a connection that has
  /// just been opened, or a complaint on it.
  func noteTrouble(of connection: SimulatedConnection, _ failure: ConnectionFailure) {
    let index = connection.upstream.rawValue
    guard connection.state == .open else { return }
    guard now <= connection.openedAt + .seconds(3) || failure.isHopeless else {
      if hasProved(connection) { dials[index].unprovenCount = 0 }
      return
    }
    dials[index].words.append(failure)
    dials[index].troubledAt = now
    dials[index].failingSince = dials[index].failingSince ?? now
    dials[index].unprovenCount += 1
    dials[index].isExact = false
    let after = scenario.upstreams[index].limits.circuitAfter.nanoseconds
    guard dials[index].mayBeOpenSince == nil,
      failure.isHopeless || dials[index].failingSince.map({ now - $0 >= after }) ?? false
    else { return }
    dials[index].mayBeOpenSince = now
    dials[index].probeAt = now + dials[index].probeStep
  }

  /// What may be a complaint about all connections, before the core is told.
  func noteComplaint(_ message: Message, on connection: SimulatedConnection) {
    let facts = message.facts
    if message.refusesControl { return }
    // What is plainly of a running response is none.
    if let owner = message.owner, facts.isResponseEvent, !message.isLate, !message.isMisnamed,
      requests[owner]?.isOpen == true || requests[owner]?.isWarmUp == true,
      connection.lane(of: owner) != nil
    {
      return
    }
    let isEarly = now <= connection.openedAt + .seconds(3)
    let failure = ConnectionFailure(
      .protocolViolation,
      facts.errorDetail ?? "an unexpected message came right after the opening")
    guard facts.kind != .notice, isEarly || failure.isHopeless else { return }
    noteTrouble(of: connection, failure)
  }

  // MARK: Checks

  /// A request fails with what its server said last, and only where waiting will not help.
  func isHopeless(_ error: HotlineError, of request: TrueRequest) -> Bool {
    let index = request.spec.upstream.rawValue
    guard !hasOpen(index), dials[index].mayBeOpenSince != nil else { return false }
    return dials[index].words.contains { failure in
      guard failure.status == error.status, failure.closeCode == error.closeCode,
        failure.closeReason == error.closeReason, error.detail.contains(": \(failure.detail); ")
      else { return false }
      switch error.code {
      case .upstreamAuth: return failure.status == 401 || failure.status == 403
      case .upstreamRejected: return failure.isHopeless && failure.status != 401
      default: return !failure.isHopeless
      }
    }
  }

  func checkProbe(of index: Int) {
    guard dials[index].isSurelyOpen, now < dials[index].probeAt else { return }
    // One that was opened at the instant of the failure may have proved that the server is well.
    let isWell = present.contains { number in
      connections[number].map {
        $0.upstream.rawValue == index && $0.isOpenToCore && hasProved($0)
      } ?? false
    }
    if isWell { return }
    complain("dialled before a probe is due, though requests fail at once")
  }

  /// While the circuit is open nobody waits, and probes are made.
  func checkCircuits() {
    for index in dials.indices where dials[index].isSurelyOpen && !hasOpen(index) {
      let waiting = open.filter { requests[$0]?.spec.upstream.rawValue == index }
      if let number = waiting.min() {
        return complain("\(describe(number)) waits, though that will not help")
      }
    }
  }

  func checkProbesAreMade() {
    guard !isTerminating else { return }
    for index in dials.indices where dials[index].isSurelyOpen && dials[index].isExact {
      guard !scenario.isRemoved[index], !hasOpen(index),
        now >= max(dials[index].probeAt, dials[index].notBefore)
      else { continue }
      if !isDialing(index) { complain("no probe is made, though it is due") }
    }
  }
}
