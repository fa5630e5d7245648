import DequeModule

/// The connections of one upstream: which to open, keep, rotate and stop retrying.
///
/// Pure value, confined to the daemon loop. It knows of requests only how many wait; the broker
/// puts them on lanes.
struct UpstreamPool: Sendable {
  /// A connection that closes sooner than this after opening, having said nothing of use, counts
  /// as a failed dial: some servers accept everybody and then close.
  static let settleTime: Duration = .seconds(2)
  /// So many times in a row a connection may end before it has proved anything. After that no
  /// opening is believed: the next dial waits, and requests do until a connection has lasted for
  /// `settleTime`. Otherwise a server that accepts everybody and then closes would be dialled in a
  /// loop, and each dial would cost a request.
  static let unprovenMax = 3

  let index: UpstreamIndex
  private(set) var settings: UpstreamSettings
  var limits: UpstreamLimits { settings.limits }
  var connections = ConnectionTable()
  private(set) var backoff = Backoff()
  private(set) var circuit = Circuit()
  /// When dials began to fail while no connection was open, if the outage has not ended since.
  private(set) var downSince: MonotonicInstant?
  private(set) var lastFailure: ConnectionFailure?
  /// The code for requests if waiting will not heal the last failure.
  private var hopelessCode: HotlineError.Code?
  /// Failures in a row that each followed an opening: connections that proved nothing.
  private var unprovenCount = 0
  private var hasOpenedSinceFailure = false
  private(set) var dialsMade = 0
  private(set) var dialsFailed = 0
  /// What its server showed last of lanes: an upstream that does not know them is not asked again
  /// until a reload.
  var laneEcho = UpstreamConnection.LaneEcho.unknown
  var warmUps = WarmUps()
  /// It is no longer configured: it serves what was accepted before, and keeps nothing warm.
  private(set) var isRemoved = false
  /// When running responses were dropped lately.
  private var drops: Deque<MonotonicInstant> = []
  private var jitter: Jitter

  init(index: UpstreamIndex, settings: UpstreamSettings, seed: UInt64) {
    self.index = index
    self.settings = settings
    jitter = Jitter(seed: seed)
  }

  /// What new and waiting requests fail with; nil while there is hope.
  var refusal: HotlineError? {
    guard let error = circuit.error, !hasOpenConnection else { return nil }
    return error
  }

  /// Openings have meant nothing lately.
  private var distrustsOpenings: Bool { unprovenCount >= Self.unprovenMax }

  /// Nothing is open, and what was tried last failed: what can go elsewhere does.
  ///
  /// An upstream that keeps nothing warm is dialled by what waits for it alone, until its circuit
  /// opens.
  var isDown: Bool {
    if isRemoved { return true }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .failsOverForNothing { return !hasOpenConnection }
    #endif
    return !hasOpenConnection
      && (circuit.error != nil || (backoff.failures > 0 && connectionsWarm > 0))
  }

  var hasOpenConnection: Bool { connections.openCount > 0 }
  var dialingCount: Int { connections.dialingCount }
  /// Connections to keep ready and idle.
  var connectionsWarm: Int { isRemoved ? 0 : limits.connectionsWarm }

  /// Responses that a new connection can be expected to carry at once.
  private var lanesExpected: Int { laneEcho == .present ? limits.lanes : 1 }

  /// Goes by other settings from now on, and forgets what failed under the old ones.
  mutating func reload(_ reload: UpstreamReload) {
    settings = reload.settings
    isRemoved = reload.isRemoved
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .keepsARemovedUpstreamWarm { isRemoved = false }
    #endif
    laneEcho = .unknown
    warmUps.reloaded()
    let limits = limits
    for number in connections.numbers { connections[number]?.apply(limits) }
    forgetFailures()
  }

  // MARK: Choosing

  /// The best connection with a free lane for a request that any connection may serve.
  ///
  /// Preferred: one that nothing waits for alone; then far from its end of life; then a lane whose
  /// latest response nobody can want to continue; then the one whose latest response is oldest.
  func bestFreeConnection(at now: MonotonicInstant) -> ConnectionNumber? {
    bestFreeLane(at: now)?.connection
  }

  /// - Parameter instant: since when the connection must have been heard; nil: it need not.
  func bestFreeLane(
    at now: MonotonicInstant, heardSince instant: MonotonicInstant? = nil
  ) -> Affinity.Place? {
    var best: (rank: (Int, Int64), place: Affinity.Place)?
    for brief in connections.briefs {
      guard let free = brief.freeLane ?? brief.laneForOthers.map({ ($0, .max) }),
        takesAny(brief, at: now)
      else { continue }
      #if HOTLINE_PLANTED_FAULTS
        let instant = PlantedFault.current == .sendsAgainUnheard ? nil : instant
      #endif
      if let instant, connections[brief.number]?.isHeard(since: instant) != true { continue }
      let isAged = now >= min(brief.ages.marginAt, brief.ages.rotateAt)
      let preference = brief.freeLane == nil ? 2 : isAged ? 1 : 0
      #if HOTLINE_PLANTED_FAULTS
        let rank = PlantedFault.rank((preference, free.rank))
      #else
        let rank = (preference, free.rank)
      #endif
      if best.map({ rank < $0.rank }) ?? true {
        best = (rank, Affinity.Place(connection: brief.number, lane: free.lane))
      }
      // There is none better.
      if rank == (0, .min) { break }
    }
    return best?.place
  }

  /// A request that any connection may serve could be sent there, if a lane is free.
  func takesAny(_ connection: some Assignable, at now: MonotonicInstant) -> Bool {
    connection.isReady && now < connection.ages.ageEnd
      && (connection.isProven || !distrustsOpenings)
  }

  // MARK: Balancing

  /// Opens and closes connections as `waiting` requests and the passing time demand.
  mutating func balance(
    waiting: Int, next: inout UInt64, at now: MonotonicInstant
  ) -> [Action] {
    retireOld(at: now) + dialWanted(waiting: waiting, next: &next, at: now)
  }

  private func spareCount(at now: MonotonicInstant) -> Int {
    connections.briefs.reduce(0) { $1.isSpare(at: now) ? $0 + 1 : $0 }
  }

  private func warmingCount(at now: MonotonicInstant) -> Int {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .countsNoWarmUpAsSpare { return 0 }
    #endif
    guard connections.warmingCount > 0 else { return 0 }
    return connections.briefs.count { $0.willBeSpare(at: now) }
  }

  /// Closes what has nothing to do and is too old, replaced, or one too many.
  private mutating func retireOld(at now: MonotonicInstant) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .rotatesInMidResponse {
        for brief in connections.briefs
        where brief.isOpen && !brief.isIdle && now >= brief.ages.rotateAt {
          return [close(brief.number, .ageLimit)]
        }
      }
    #endif
    var actions: [Action] = []
    var freshSpare = spareCount(at: now) - connectionsWarm
    var spare = connections.briefs.count { $0.isReady && $0.isIdle } - connectionsWarm
    var excess = excessCount(at: now)
    for brief in connections.briefs where brief.isOpen && brief.isUnwanted {
      // Reading a connection costs a copy of all that it owns.
      if !brief.isReady, case .retiring(let reason) = connections[brief.number]?.state {
        actions.append(close(brief.number, reason))
        continue
      }
      // A warm-up keeps nothing alive.
      let isOver = brief.isWarming && now >= brief.ages.idleEnd
      guard brief.isIdle || isOver else { continue }
      let isFresh = brief.isFresh(at: now)
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .closesBeforeAnotherTookOver, !isFresh {
          actions.append(close(brief.number, brief.ages.endReason))
          continue
        }
      #endif
      if now >= brief.ages.idleEnd || (!isFresh && spare > 0) {
        actions.append(close(brief.number, brief.ages.endReason))
      } else if isRemoved {
        actions.append(close(brief.number, .reloaded))
      } else if isFresh, excess > 0 || (freshSpare > 0 && now >= brief.ages.shrinkAt) {
        freshSpare -= 1
        actions.append(close(brief.number, .surplus))
      } else {
        continue
      }
      spare -= 1
      excess = excessCount(at: now)
    }
    return actions
  }

  /// Connections over the limit that no longer replace another: a replacement was used before it
  /// took over.
  private func excessCount(at now: MonotonicInstant) -> Int {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .keepsWhatIsTooMany { return 0 }
    #endif
    let excess = dialingCount + connections.readyCount - limits.connectionsMax
    guard excess > 0, dialingCount == 0 else { return 0 }
    return excess - (connections.briefs.contains { $0.isAged(at: now) } ? 1 : 0)
  }

  mutating func close(_ number: ConnectionNumber, _ reason: CloseReason) -> Action {
    switch reason {
    case .idleLimit, .ageLimit, .surplus:
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .warmsUpForNobodyForEver { break }
      #endif
      if connections[number]?.isWarmForNobody == true { warmUps.wasted() }
    case .pongTimeout, .abandoned, .abandonedTimeout, .unexpectedEvent, .refusedByServer,
      .errorInResponse, .steered, .reloaded, .shutdown:
      break
    }
    connections[number]?.state = .closing
    return .closeConnection(number, reason)
  }

  /// How many dials are wanted now, whether or not they may begin yet.
  private func dialsWanted(waiting: Int, at now: MonotonicInstant) -> Int {
    #if HOTLINE_PLANTED_FAULTS
      let waiting = PlantedFault.current == .neverGrows ? 0 : waiting
    #endif
    // A probe is wanted though nothing else is: it finds out whether requests may wait again.
    if circuit.probeAt != nil, !hasOpenConnection, !isRemoved {
      return dialingCount == 0 ? 1 : 0
    }
    let demand = (waiting + lanesExpected - 1) / lanesExpected
    // What warms up will be spare soon, but takes nothing that waits now.
    let unspared = max(0, connectionsWarm - warmingCount(at: now))
    let wanted = unspared + demand - spareCount(at: now) - dialingCount
    guard wanted > 0 else { return 0 }
    // A connection that is to be replaced gives its place to its replacement beforehand.
    let isReplacing = connections.briefs.contains { $0.isReady && $0.isAged(at: now) }
    // So does one that only finishes what it has; but not without end.
    let places = limits.connectionsMax + (isReplacing ? 1 : 0)
    let room = min(
      places - dialingCount - connections.readyCount,
      places + limits.connectionsMax - connections.livingCount)
    #if HOTLINE_PLANTED_FAULTS
      let isCareful = PlantedFault.current == .dialsOneAtATime
    #else
      let isCareful = false
    #endif
    let dialsMax =
      backoff.lastFailureAt != nil || distrustsOpenings || isCareful ? 1 : limits.dialsMax
    return max(0, min(wanted, room, dialsMax - dialingCount))
  }

  private mutating func dialWanted(
    waiting: Int, next: inout UInt64, at now: MonotonicInstant
  ) -> [Action] {
    if let dialAt = dialAt(waiting: waiting), now < dialAt { return [] }
    let wanted = dialsWanted(waiting: waiting, at: now)
    guard wanted > 0 else { return [] }
    return (0..<wanted).map { _ in
      let number = ConnectionNumber(next)
      next += 1
      return dial(number, at: now)
    }
  }

  private mutating func dial(_ number: ConnectionNumber, at now: MonotonicInstant) -> Action {
    let connection = UpstreamConnection(
      number: number, lanes: laneEcho == .absent ? 1 : limits.lanes, jitter: jitter.nextFraction(),
      at: now)
    connections[number] = connection
    dialsMade += 1
    return .dial(number, index)
  }

  /// The earliest instant for the next dial; nil where it may begin at once.
  private func dialAt(waiting: Int) -> MonotonicInstant? {
    guard let probeAt = circuit.probeAt else {
      return backoff.dialAt(isWanted: waiting > 0, downSince: downSince)
    }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .probesBeforeRetryAfter { return probeAt }
    #endif
    return max(probeAt, backoff.notBefore ?? probeAt)
  }

  // MARK: What became of dials and connections

  mutating func dialSucceeded(_ number: ConnectionNumber, at now: MonotonicInstant) {
    let limits = limits
    connections[number]?.opened(limits, at: now)
    circuit.opened()
    hasOpenedSinceFailure = true
    guard !distrustsOpenings else { return }
    backoff.opened(dialedAt: connections[number]?.dialedAt ?? now)
    downSince = nil
  }

  /// Counts a failure to get a useful connection; the circuit opens where it must.
  ///
  /// - Parameter isHopeless: the server said in an event that it will refuse every connection.
  /// - Returns: whether the circuit has opened.
  @discardableResult
  mutating func dialFailed(
    _ failure: ConnectionFailure, isHopeless: Bool = false, at now: MonotonicInstant
  ) -> Bool {
    let wasClosed = circuit.error == nil
    dialsFailed += 1
    lastFailure = failure
    if hasOpenedSinceFailure { unprovenCount += 1 }
    hasOpenedSinceFailure = false
    // Nobody had wanted a connection for a while: what failed then says nothing of how long.
    if let last = backoff.lastFailureAt {
      let due = max(last.advanced(by: Backoff.delayMax), backoff.notBefore ?? last)
      #if HOTLINE_PLANTED_FAULTS
        let before = downSince
        defer { if PlantedFault.current == .countsFarApartFailures { downSince = before } }
      #endif
      if now > due.advanced(by: limits.connectTimeout) { downSince = nil }
    }
    backoff.dialFailed(
      retryAfter: failure.retryAfter, fraction: jitter.nextFraction(), at: now)
    if !hasOpenConnection, downSince == nil { downSince = now }
    hopelessCode = failure.hopelessCode ?? (isHopeless ? .upstreamRejected : nil)
    let lasts = downSince.map { $0.duration(to: now) >= limits.circuitAfter } ?? false
    if hopelessCode != nil || circuit.error != nil || lasts {
      circuit.failed(with: circuitError(failure), retryAfter: failure.retryAfter, at: now)
    }
    return wasClosed && circuit.error != nil
  }

  /// When the circuit opens though no dial fails until then: the server has asked to be left alone
  /// for longer than nothing but failures may last.
  private func circuitOpensAt(at now: MonotonicInstant) -> MonotonicInstant? {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .waitsForAsLongAsItsServerLikes { return nil }
    #endif
    guard let downSince, circuit.error == nil, !hasOpenConnection, dialingCount == 0,
      let notBefore = backoff.notBefore, notBefore > now
    else { return nil }
    let instant = downSince.advanced(by: limits.circuitAfter)
    return notBefore > instant ? instant : nil
  }

  /// Opens the circuit if nothing that is allowed could keep it closed.
  ///
  /// - Returns: whether it has.
  mutating func giveUpIfDue(at now: MonotonicInstant) -> Bool {
    guard let notBefore = backoff.notBefore, notBefore > now, !hasOpenConnection,
      dialingCount == 0
    else { return false }
    // What was open when the server asked has gone.
    downSince = downSince ?? now
    guard let opensAt = circuitOpensAt(at: now), now >= opensAt, let lastFailure else {
      return false
    }
    circuit.gaveUp(with: circuitError(lastFailure), until: notBefore)
    return true
  }

  /// What requests fail with while the circuit is open.
  private func circuitError(_ failure: ConnectionFailure) -> HotlineError {
    guard let hopelessCode else {
      return failure.error(
        .upstreamUnavailable, "the upstream \(settings.name) has been failing for long",
        isRetryable: true)
    }
    return failure.error(
      hopelessCode, "the upstream \(settings.name) refuses connections", isRetryable: false)
  }

  /// Something of use came from a connection.
  mutating func proved(_ number: ConnectionNumber) {
    guard let connection = connections[number], !connection.isProven else { return }
    connections[number]?.isProven = true
    downSince = nil
    unprovenCount = 0
    hasOpenedSinceFailure = false
    // What was opened before the last failure says nothing of what a dial would meet now.
    guard let openedAt = connection.openedAt, openedAt >= backoff.lastFailureAt ?? openedAt else {
      return
    }
    backoff.succeeded(dialedAt: connection.dialedAt)
    circuit.succeeded()
    // What the server has asked for since still holds, and is what there is to say.
    if backoff.notBefore == nil { lastFailure = nil }
  }

  /// Earlier failures say nothing of what a dial would meet now.
  mutating func forgetFailures() {
    backoff.forget()
    circuit.succeeded()
    downSince = nil
    unprovenCount = 0
    lastFailure = nil
  }

  mutating func forget(_ number: ConnectionNumber) {
    connections[number] = nil
  }

  /// Whether a running response that nobody wants is dropped with its connection; a storm of
  /// drops is read to the end instead, lest it become a storm of dials.
  mutating func dropAllowed(at now: MonotonicInstant) -> Bool {
    guard limits.cancel == .drop else { return false }
    while let first = drops.first, first.duration(to: now) > .seconds(10) { drops.removeFirst() }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .dropsOnceTooOften, drops.count == 10 {
        drops.append(now)
        return true
      }
    #endif
    guard drops.count < 10 else { return false }
    drops.append(now)
    return true
  }

  // MARK: Time

  func nextDeadline(waiting: Int, at now: MonotonicInstant) -> MonotonicInstant? {
    var next = MonotonicInstant(nanoseconds: .max)
    let hasSurplus = spareCount(at: now) > connectionsWarm
    for brief in connections.briefs where brief.isOpen {
      next = min(next, brief.dueAt)
      guard brief.isReady else { continue }
      // A busy one is replaced beforehand too.
      if now < brief.ages.agedAt { next = min(next, brief.ages.agedAt) }
      // What waits for it is held back by a rate limit; then it closes when that is served.
      #if HOTLINE_PLANTED_FAULTS
        let isKept = !brief.isUnwanted && PlantedFault.current != .wakesForWhatItKeeps
      #else
        let isKept = !brief.isUnwanted
      #endif
      guard brief.isIdle || brief.isWarming, !isKept else { continue }
      let isFresh = now < brief.ages.rotateAt
      next = min(next, isFresh ? brief.ages.rotateAt : brief.ages.idleEnd)
      if isFresh, hasSurplus, brief.isIdle { next = min(next, brief.ages.shrinkAt) }
    }
    // A time to dial may have passed with an input that decides nothing, such as a pong.
    if dialsWanted(waiting: waiting, at: now) > 0 {
      let dialAt = dialAt(waiting: waiting) ?? now
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current != .forgetsADialThatIsDue || dialAt > now {
          next = min(next, dialAt)
        }
      #else
        next = min(next, dialAt)
      #endif
    }
    if let opensAt = circuitOpensAt(at: now) { next = min(next, opensAt) }
    return next.nanoseconds == .max ? nil : next
  }
}
