import DequeModule

/// The connections of one upstream: which to open, keep, rotate and stop retrying.
///
/// Pure value, confined to the daemon loop. It knows of requests only how many wait; the broker
/// puts them on lanes.
struct UpstreamPool: Sendable {
  /// A connection that closes sooner than this after opening, having said nothing of use, counts
  /// as a failed dial: some servers accept everybody and then close.
  static let settleTime: Duration = .seconds(2)
  /// So many times in a row an opened connection ends an outage though it has proved nothing; after
  /// that only a proof does, so that a server that accepts everybody and then closes is backed off.
  static let unprovenMax = 5

  let index: UpstreamIndex
  let settings: UpstreamSettings
  var limits: UpstreamLimits { settings.limits }
  var connections: [ConnectionNumber: UpstreamConnection] = [:]
  /// The numbers of `connections` in the order of dialling, so that choices are deterministic.
  private(set) var order: [ConnectionNumber] = []
  private(set) var backoff = Backoff()
  private(set) var circuit = Circuit()
  /// When dials began to fail while no connection was open, if the outage has not ended since.
  private(set) var downSince: MonotonicInstant?
  private(set) var lastFailure: ConnectionFailure?
  /// Failures in a row that each followed an opening: connections that proved nothing.
  private var unprovenCount = 0
  private var hasOpenedSinceFailure = false
  private(set) var dialsMade = 0
  private(set) var dialsFailed = 0
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

  var hasOpenConnection: Bool { connections.values.contains(where: \.isOpen) }
  var dialingCount: Int { connections.values.count { $0.state == .dialing } }

  // MARK: Choosing

  /// The best connection with a free lane for a request that any connection may serve.
  ///
  /// Preferred: far from its end of life; then one whose latest response nobody can want to
  /// continue; then the one whose latest response is oldest.
  func bestFreeConnection(at now: MonotonicInstant) -> ConnectionNumber? {
    var best: (rank: (Int, Int64), number: ConnectionNumber)?
    for number in order {
      guard let connection = connections[number], connection.isReady,
        connection.freeLane != nil, now < connection.ageEnd(limits)
      else { continue }
      let isAged = now >= min(connection.marginAt(limits), connection.rotateAt(limits))
      let rank = (isAged ? 1 : 0, connection.chainAt?.nanoseconds ?? .min)
      if best.map({ rank < $0.rank }) ?? true { best = (rank, number) }
    }
    return best?.number
  }

  // MARK: Balancing

  /// Opens and closes connections as `waiting` requests and the passing time demand.
  mutating func balance(
    waiting: Int, next: inout UInt64, at now: MonotonicInstant
  ) -> [Action] {
    retireOld(at: now) + dialWanted(waiting: waiting, next: &next, at: now)
  }

  private func isFresh(_ connection: UpstreamConnection, at now: MonotonicInstant) -> Bool {
    connection.isReady && now < connection.rotateAt(limits)
  }

  private func freshIdleCount(at now: MonotonicInstant) -> Int {
    connections.values.count { $0.isIdle && $0.pinned.isEmpty && isFresh($0, at: now) }
  }

  /// Closes what has nothing to do and is too old, replaced, or one too many.
  private mutating func retireOld(at now: MonotonicInstant) -> [Action] {
    var actions: [Action] = []
    var freshSpare = freshIdleCount(at: now) - limits.connectionsWarm
    var spare = connections.values.count { $0.isReady && $0.isIdle } - limits.connectionsWarm
    var excess = excessCount(at: now)
    for number in order {
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .rotatesInMidResponse, let connection = connections[number],
          connection.isOpen, !connection.isIdle, now >= connection.rotateAt(limits)
        {
          actions.append(close(number, .ageLimit))
        }
      #endif
      guard let connection = connections[number], connection.isOpen, connection.isIdle,
        connection.pinned.isEmpty
      else { continue }
      if case .retiring(let reason) = connection.state {
        actions.append(close(number, reason))
      } else if now >= connection.idleEnd(limits) || (!isFresh(connection, at: now) && spare > 0) {
        spare -= 1
        excess -= 1
        actions.append(close(number, connection.endReason(limits)))
      } else if isFresh(connection, at: now),
        excess > 0
          || (freshSpare > 0 && now >= connection.lastActiveAt.advanced(by: limits.shrinkAfter))
      {
        freshSpare -= 1
        spare -= 1
        excess -= 1
        actions.append(close(number, .surplus))
      }
    }
    return actions
  }

  /// Connections over the limit that no longer replace another: a replacement was used before it
  /// took over.
  private func excessCount(at now: MonotonicInstant) -> Int {
    let living = connections.values.filter { $0.state != .closing }
    guard living.count > limits.connectionsMax, dialingCount == 0 else { return 0 }
    let aged = living.contains { $0.isAged(limits, at: now) }
    return living.count - limits.connectionsMax - (aged ? 1 : 0)
  }

  mutating func close(_ number: ConnectionNumber, _ reason: CloseReason) -> Action {
    connections[number]?.state = .closing
    return .closeConnection(number, reason)
  }

  /// How many dials are wanted now, whether or not they may begin yet.
  private func dialsWanted(waiting: Int, at now: MonotonicInstant) -> Int {
    let dialing = dialingCount
    let wanted = limits.connectionsWarm + waiting - freshIdleCount(at: now) - dialing
    let living = connections.values.filter { $0.state != .closing }
    // A connection that is to be replaced gives its place to its replacement beforehand.
    let aged = living.contains { $0.isIdle && $0.isReady && !isFresh($0, at: now) } ? 1 : 0
    let room = limits.connectionsMax + aged - living.count
    // A probe is wanted though nothing else is: it finds out whether requests may wait again.
    if circuit.probeAt != nil, !hasOpenConnection { return dialing == 0 ? 1 : 0 }
    let dialsMax = backoff.failures > 0 ? 1 : limits.dialsMax
    return max(0, min(wanted, room, dialsMax - dialing))
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
      number: number, lanes: limits.lanes, jitter: jitter.nextFraction(), at: now)
    connections[number] = connection
    order.append(number)
    dialsMade += 1
    return .dial(number, index)
  }

  /// The earliest instant for the next dial; nil where it may begin at once.
  private func dialAt(waiting: Int) -> MonotonicInstant? {
    guard let probeAt = circuit.probeAt else {
      return backoff.dialAt(isWanted: waiting > 0, downSince: downSince)
    }
    return max(probeAt, backoff.notBefore ?? probeAt)
  }

  // MARK: What became of dials and connections

  mutating func dialSucceeded(_ number: ConnectionNumber, at now: MonotonicInstant) {
    let limits = limits
    connections[number]?.opened(limits, at: now)
    backoff.opened()
    circuit.opened()
    hasOpenedSinceFailure = true
    if unprovenCount < Self.unprovenMax { downSince = nil }
  }

  /// Counts a failure to get a useful connection; the circuit opens where it must.
  ///
  /// - Parameter isHopeless: the server said in an event that it will refuse every connection.
  mutating func dialFailed(
    _ failure: ConnectionFailure, isHopeless: Bool = false, at now: MonotonicInstant
  ) {
    dialsFailed += 1
    lastFailure = failure
    if hasOpenedSinceFailure { unprovenCount += 1 }
    hasOpenedSinceFailure = false
    backoff.dialFailed(
      retryAfter: failure.retryAfter, fraction: jitter.nextFraction(), at: now)
    if !hasOpenConnection, downSince == nil { downSince = now }
    if let code = failure.hopelessCode ?? (isHopeless ? .upstreamRejected : nil) {
      let error = failure.error(
        code, "the upstream \(settings.name) refuses connections", isRetryable: false)
      circuit.failed(with: error, retryAfter: failure.retryAfter, at: now)
    } else if circuit.error != nil
      || downSince.map({ $0.duration(to: now) >= limits.circuitAfter }) ?? false
    {
      let error = failure.error(
        .upstreamUnavailable, "the upstream \(settings.name) has been failing for long",
        isRetryable: true)
      circuit.failed(with: error, retryAfter: failure.retryAfter, at: now)
    }
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
    backoff.succeeded()
    circuit.succeeded()
    lastFailure = nil
  }

  /// Earlier failures say nothing of what a dial would meet now.
  mutating func networkChanged() {
    backoff.succeeded()
    circuit.succeeded()
    downSince = nil
  }

  mutating func forget(_ number: ConnectionNumber) {
    connections[number] = nil
    order.removeAll { $0 == number }
  }

  /// Whether a running response that nobody wants is dropped with its connection; a storm of
  /// drops is read to the end instead, lest it become a storm of dials.
  mutating func dropAllowed(at now: MonotonicInstant) -> Bool {
    while let first = drops.first, first.duration(to: now) > .seconds(10) { drops.removeFirst() }
    guard drops.count < 10 else { return false }
    drops.append(now)
    return true
  }

  // MARK: Time

  func nextDeadline(waiting: Int, at now: MonotonicInstant) -> MonotonicInstant? {
    var next: MonotonicInstant?
    func consider(_ instant: MonotonicInstant?) {
      guard let instant else { return }
      next = min(next ?? instant, instant)
    }
    let hasSurplus = freshIdleCount(at: now) > limits.connectionsWarm
    for connection in connections.values {
      consider(nextDeadline(of: connection, hasSurplus: hasSurplus, at: now))
    }
    if dialsWanted(waiting: waiting, at: now) > 0 {
      consider(dialAt(waiting: waiting))
    }
    return next
  }

  private func nextDeadline(
    of connection: UpstreamConnection, hasSurplus: Bool, at now: MonotonicInstant
  ) -> MonotonicInstant? {
    guard connection.isOpen else { return nil }
    var next = connection.keepalive?.nextDeadline ?? .init(nanoseconds: .max)
    if !connection.isProven, let openedAt = connection.openedAt {
      next = min(next, openedAt.advanced(by: Self.settleTime))
    }
    for lane in connection.lanes {
      if case .abandoned(_, let giveUpAt) = lane.state { next = min(next, giveUpAt) }
    }
    guard connection.isReady, connection.isIdle else { return next }
    let rotateAt = connection.rotateAt(limits)
    next = min(next, now < rotateAt ? rotateAt : connection.idleEnd(limits))
    if now < rotateAt, hasSurplus {
      next = min(next, connection.lastActiveAt.advanced(by: limits.shrinkAfter))
    }
    return next
  }
}
