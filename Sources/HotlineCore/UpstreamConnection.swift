import DequeModule

/// One response at a time on a connection.
struct Lane: Sendable {
  /// The request on a lane, with what is known of its response.
  struct Running: Hashable {
    let request: RequestNumber
    let client: ClientNumber
    let filter: EventFilter
    /// The last byte of the request was handed to the connection.
    var isHandedOver = false
    /// An event of it, or one that may be of it, came back.
    var isAnswered = false
    /// A `response.*` event of it came back.
    var hasResponse = false
    var responseID: ByteString?
    var isSteered = false
    var eventsDelivered = 0
    var firstEventAt: MonotonicInstant?
    var firstTextAt: MonotonicInstant?
  }

  enum State {
    /// Next: `.busy`.
    case idle
    /// Next: `.idle` on the terminal event, `.abandoned` when nobody wants it any more.
    case busy(Running)
    /// Read to its terminal event, which frees the lane; its connection is dropped at `giveUpAt`.
    case abandoned(Running, giveUpAt: MonotonicInstant)
  }

  /// How many ended responses a lane remembers, to know their late events.
  static let pastResponsesMax = 64

  var state = State.idle
  /// The responses that ended here, latest last: those of which a late event could still come.
  private(set) var pastResponseIDs: Deque<ByteString> = []
  /// The latest of them: the only one that the server continues.
  var lastResponseID: ByteString? { pastResponseIDs.last }
  /// When `lastResponseID` ended.
  private(set) var lastResponseAt: MonotonicInstant?
  /// Responses here begin with an event that carries the response's id, as far as seen.
  var beginsIdentified = false

  var isIdle: Bool {
    if case .idle = state { return true }
    return false
  }

  /// The response on it has ended by its terminal event.
  mutating func freed(by responseID: ByteString?, at now: MonotonicInstant) {
    state = .idle
    guard let responseID else { return }
    if pastResponseIDs.count >= Self.pastResponsesMax { pastResponseIDs.removeFirst() }
    pastResponseIDs.append(responseID)
    lastResponseAt = now
  }

  var running: Running? {
    if case .busy(let running) = state { return running }
    return nil
  }
}

/// One wss connection: dialing → ready → retiring → closing; owns its lanes.
struct UpstreamConnection: Sendable {
  enum State: Hashable {
    /// Next: `.ready`, or gone.
    case dialing
    /// Takes requests. Next: `.retiring`, `.closing`, or gone.
    case ready
    /// Takes only requests that need this connection, and closes when it has nothing to do.
    case retiring(CloseReason)
    /// The close has been handed out; whatever comes is stale. Next: gone.
    case closing
  }

  let number: ConnectionNumber
  let dialedAt: MonotonicInstant
  var state = State.dialing
  var openedAt: MonotonicInstant?
  var keepalive: Keepalive?
  var lanes: [Lane]
  /// Requests that wait for this connection, in order.
  var pinned: Deque<RequestNumber> = []
  /// The end of its last response, or its opening.
  var lastActiveAt: MonotonicInstant
  /// Responses that ended here.
  var responsesServed = 0
  /// Something came from the server that shows that it means it.
  var isProven = false
  /// A share of the limits taken off, so that connections do not age together.
  let jitter: Double

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

  var isReady: Bool { state == .ready }

  /// Open for requests that need just this connection.
  var isOpen: Bool {
    switch state {
    case .ready, .retiring: true
    case .dialing, .closing: false
    }
  }

  var isIdle: Bool { lanes.allSatisfy(\.isIdle) }
  var freeLane: Int? { lanes.firstIndex(where: \.isIdle) }

  /// When a response here ended last, if one may still be continued.
  var chainAt: MonotonicInstant? { lanes.compactMap(\.lastResponseAt).max() }

  mutating func opened(_ limits: UpstreamLimits, at now: MonotonicInstant) {
    state = .ready
    openedAt = now
    lastActiveAt = now
    keepalive = Keepalive(interval: limits.pingInterval, timeout: limits.pongTimeout, at: now)
  }

  // MARK: Ages

  private func shortened(_ limit: Duration) -> Duration { limit * (1 - 0.025 * jitter) }

  /// When the connection is too old to be kept, busy or not.
  func ageEnd(_ limits: UpstreamLimits) -> MonotonicInstant {
    (openedAt ?? dialedAt).advanced(by: shortened(limits.ageLimit))
  }

  /// When the connection, if it stays idle, is to be closed.
  func idleEnd(_ limits: UpstreamLimits) -> MonotonicInstant {
    min(lastActiveAt.advanced(by: shortened(limits.idleLimit)), ageEnd(limits))
  }

  /// Which of the two limits an idle connection reaches first.
  func endReason(_ limits: UpstreamLimits) -> CloseReason {
    idleEnd(limits) < ageEnd(limits) ? .idleLimit : .ageLimit
  }

  /// When a replacement is dialled for it, if it stays idle: early enough to be there in time.
  func rotateAt(_ limits: UpstreamLimits) -> MonotonicInstant {
    let idleLead = min(.seconds(30), limits.idleLimit / 10)
    let ageLead = min(.seconds(30), limits.ageLimit / 10)
    return min(
      lastActiveAt.advanced(by: shortened(limits.idleLimit) - idleLead),
      ageEnd(limits).advanced(by: .zero - ageLead))
  }

  /// Whether another is to take over from it.
  func isAged(_ limits: UpstreamLimits, at now: MonotonicInstant) -> Bool {
    let ageLead = min(.seconds(30), limits.ageLimit / 10)
    let isOld = now >= ageEnd(limits).advanced(by: .zero - ageLead)
    return isOpen && (isOld || (isIdle && now >= rotateAt(limits)))
  }

  /// From when on a new response should rather go elsewhere.
  func marginAt(_ limits: UpstreamLimits) -> MonotonicInstant {
    ageEnd(limits).advanced(by: .zero - min(limits.ageMargin, limits.ageLimit / 10))
  }
}
