import DequeModule

/// One wss connection: dialing → ready → retiring → closing; owns its lanes.
struct UpstreamConnection: Sendable {
  enum State: Hashable {
    /// Next: `.ready`, or gone.
    case dialing
    /// Takes requests. Next: `.retiring`, `.closing`, or gone.
    case ready
    /// Finishes what runs and what waits to continue it, takes nothing new, and closes when it has
    /// nothing to do. Next: `.closing`, or gone.
    case retiring(CloseReason)
    /// The close has been handed out; whatever comes is stale. Next: gone.
    case closing
  }

  /// Whether the server says of each event which lane it is of.
  enum LaneEcho: Hashable {
    /// It has not said anything yet: one response at a time. Next: either of the others, for good.
    case unknown
    /// It does.
    case present
    /// It does not know lanes: one response at a time.
    case absent
  }

  let number: ConnectionNumber
  let dialedAt: MonotonicInstant
  var state = State.dialing
  var openedAt: MonotonicInstant?
  var keepalive: Keepalive?
  var lanes: [Lane]
  var laneEcho = LaneEcho.unknown
  /// Requests that prefer this connection, in order.
  var pinned: Deque<RequestNumber> = []
  /// What was served here last was for it or one of its lanes alone, while others were waiting for
  /// any.
  var hasServedPinned = false
  /// The end of its last response, or its opening.
  private(set) var lastActiveAt: MonotonicInstant
  /// Responses that ended here, warm-ups not among them.
  private(set) var responsesServed = 0
  /// A warm-up has ended here.
  private(set) var isWarmedUp = false
  /// It was warmed up, and has served nobody since.
  var isWarmForNobody: Bool { isWarmedUp && responsesServed == 0 }
  /// Something came from the server that shows that it means it.
  var isProven = false
  /// A share of the limits taken off, so that connections do not age together.
  let jitter: Double

  private(set) var ages = Ages.unknown
  /// The idle limit with its jitter, and how long before a replacement is dialled.
  private var idleFor = Duration.zero
  private var idleLead = Duration.zero

  /// When it reaches each of its limits.
  struct Ages: Sendable {
    /// It is too old to be kept, busy or not.
    fileprivate(set) var ageEnd: MonotonicInstant
    /// From when on a new response should rather go elsewhere.
    fileprivate(set) var marginAt: MonotonicInstant
    /// When a replacement is dialled for it though it is busy.
    fileprivate(set) var agedAt: MonotonicInstant
    /// When it, if it stays idle, is to be closed.
    fileprivate(set) var idleEnd: MonotonicInstant
    /// When a replacement is dialled for it, if it stays idle: early enough to be there in time.
    fileprivate(set) var rotateAt: MonotonicInstant
    /// When it, if it stays idle, is closed as one too many.
    fileprivate(set) var shrinkAt: MonotonicInstant

    static let unknown = {
      let never = MonotonicInstant(nanoseconds: .max)
      return Ages(
        ageEnd: never, marginAt: never, agedAt: never, idleEnd: never, rotateAt: never,
        shrinkAt: never)
    }()

    /// Which of the two limits it reaches first while it is idle.
    var endReason: CloseReason { idleEnd < ageEnd ? .idleLimit : .ageLimit }
  }

  init(
    number: ConnectionNumber, lanes: Int, jitter: Double, at now: MonotonicInstant
  ) {
    self.number = number
    self.lanes = Array(repeating: Lane(), count: lanes)
    self.jitter = jitter
    dialedAt = now
    lastActiveAt = now
  }

  /// It has shown that the server means it: its end is no failure to connect.
  func isSettled(at now: MonotonicInstant) -> Bool {
    guard !isProven, let openedAt else { return isProven }
    return now >= openedAt.advanced(by: UpstreamPool.settleTime)
  }

  var isReady: Bool {
    switch state {
    case .ready: true
    case .dialing, .retiring, .closing: false
    }
  }

  /// Open for requests that need just this connection.
  var isOpen: Bool {
    switch state {
    case .ready, .retiring: true
    case .dialing, .closing: false
    }
  }

  // MARK: Lanes

  /// Messages here carry the name of their lane.
  var namesLanes: Bool { lanes.count > 1 && laneEcho != .absent }

  /// Lanes that may be used at once.
  var lanesUsable: Int {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .sendsASecondBeforeAnEcho { return lanes.count }
    #endif
    return laneEcho == .present ? lanes.count : 1
  }

  /// Nothing runs on it.
  var isIdle: Bool { lanes.allSatisfy(\.isQuiet) }

  /// Nothing runs on it but a warm-up.
  var isWarming: Bool {
    lanes.contains(where: \.isWarming) && lanes.allSatisfy { $0.isQuiet || $0.isWarming }
  }

  /// Its server has been sent a warm-up, which has not ended.
  var hasUnendedWarmUp: Bool {
    lanes.contains { lane in
      guard case .warming(let running, _) = lane.state else { return false }
      return running.isHandedOver
    }
  }

  /// Nobody waits for anything here.
  var isUnwanted: Bool {
    pinned.isEmpty
      && lanes.allSatisfy { $0.running == nil && ($0.bound.isEmpty || $0.isSpent) }
  }

  /// The lane for a request that any lane may serve: one of which no response can be continued,
  /// else the one whose latest response is oldest.
  var freeLane: Int? {
    var best: (lane: Int, rank: Int64)?
    for lane in 0..<lanesUsable where lanes[lane].isFree {
      let rank = lanes[lane].chainAt?.nanoseconds ?? .min
      if best.map({ rank < $0.rank }) ?? true { best = (lane, rank) }
    }
    return best?.lane
  }

  /// A lane for the queue's next where none is free: its turn has come before what waits for the
  /// lane alone.
  var laneForOthers: Int? {
    (0..<lanesUsable).first { lanes[$0].isFreeForOthers }
  }

  /// Its server has been heard, or it was opened, at an instant or later.
  func isHeard(since instant: MonotonicInstant) -> Bool {
    keepalive.map { $0.heardAt >= instant } ?? false
  }

  /// The free lane for a request that prefers this connection: the one whose latest response it
  /// continues, which its server need not fetch there; else one of which no response can be
  /// continued, or only by what prefers the same. A prompt cache is not worth a conversation.
  func freeLane(suiting spec: NewRequest, of uid: UInt32) -> Int? {
    guard let lane = freeLane else { return nil }
    if let previous = spec.previousResponseID, let maker = freeLane(whoseLatestIs: previous) {
      return maker
    }
    if lanes[lane].chainAt == nil { return lane }
    guard let preference = spec.preference(of: uid) else { return nil }
    return (0..<lanesUsable).first { lanes[$0].isFree && lanes[$0].chainOwner == preference }
  }

  private func freeLane(whoseLatestIs response: ByteString) -> Int? {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .continuesOnAnyLane { return nil }
    #endif
    return (0..<lanesUsable).first { lanes[$0].isFree && lanes[$0].lastResponseID == response }
  }

  // MARK: Ages

  mutating func opened(_ limits: UpstreamLimits, at now: MonotonicInstant) {
    state = .ready
    openedAt = now
    lastActiveAt = now
    keepalive = Keepalive(interval: limits.pingInterval, timeout: limits.pongTimeout, at: now)
    setAges(limits)
  }

  /// The response on a lane has ended: the server counts its idle time from now.
  ///
  /// - Parameter isSpent: more of it may come nevertheless.
  /// - Returns: whether it was a request's, rather than a warm-up.
  mutating func responseEnded(
    _ running: Lane.Running, on lane: Int, isSpent: Bool, _ limits: UpstreamLimits,
    at now: MonotonicInstant
  ) -> Bool {
    var isServed = !lanes[lane].isWarming
    if !isServed { isWarmedUp = true }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .countsAWarmUpAsServed { isServed = true }
    #endif
    if isServed { responsesServed += 1 }
    lanes[lane].freed(by: running.responseID, isSpent: isSpent)
    lastActiveAt = now
    setIdleAges(limits)
    return isServed
  }

  /// Goes by other limits from now on.
  mutating func apply(_ limits: UpstreamLimits) {
    keepalive?.limits(interval: limits.pingInterval, timeout: limits.pongTimeout)
    if openedAt != nil { setAges(limits) }
  }

  private func shortened(_ limit: Duration) -> Duration { limit * (1 - 0.025 * jitter) }

  private mutating func setAges(_ limits: UpstreamLimits) {
    let end = (openedAt ?? dialedAt).advanced(by: shortened(limits.ageLimit))
    ages.ageEnd = end
    ages.marginAt = end.advanced(by: .zero - min(limits.ageMargin, limits.ageLimit / 10))
    ages.agedAt = end.advanced(by: .zero - min(.seconds(30), limits.ageLimit / 10))
    idleFor = shortened(limits.idleLimit)
    idleLead = min(.seconds(30), limits.idleLimit / 10)
    setIdleAges(limits)
  }

  private mutating func setIdleAges(_ limits: UpstreamLimits) {
    ages.idleEnd = min(lastActiveAt.advanced(by: idleFor), ages.ageEnd)
    ages.rotateAt = min(lastActiveAt.advanced(by: idleFor - idleLead), ages.agedAt)
    ages.shrinkAt = lastActiveAt.advanced(by: limits.shrinkAfter)
  }

  /// When something about it alone is due: a ping, a missing pong, proof by time, an unwanted
  /// response that does not end.
  var dueAt: MonotonicInstant {
    var next = keepalive?.nextDeadline ?? MonotonicInstant(nanoseconds: .max)
    if !isProven, let openedAt { next = min(next, openedAt.advanced(by: UpstreamPool.settleTime)) }
    for lane in lanes {
      switch lane.state {
      case .abandoned(_, let giveUpAt), .warming(_, let giveUpAt): next = min(next, giveUpAt)
      case .idle, .busy, .spent: break
      }
      if let ended = lane.steering.ended, lane.running != nil { next = min(next, ended.giveUpAt) }
    }
    return next
  }
}
