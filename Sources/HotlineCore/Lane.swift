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
    /// Its response has ended, and another is expected in its place.
    var isBetweenResponses = false
    var eventsDelivered = 0
    var firstEventAt: MonotonicInstant?
    var firstTextAt: MonotonicInstant?
  }

  enum State: Hashable {
    /// Next: `.busy`.
    case idle
    /// Next: `.idle` on the terminal event, `.abandoned` when nobody wants it any more, `.spent`
    /// when it ends in a way after which more of it may come.
    case busy(Running)
    /// The server prepares what all requests share, on the daemon's own behalf: its events reach
    /// nobody. Next: `.idle` on the terminal event, `.spent` where more of it may come, or at
    /// `giveUpAt`.
    case warming(Running, giveUpAt: MonotonicInstant)
    /// Read to its terminal event, which frees the lane. Next: `.idle`, or `.spent` at `giveUpAt`.
    case abandoned(Running, giveUpAt: MonotonicInstant)
    /// Terminal: nothing runs here again, what comes reaches nobody, and its connection is closed
    /// as soon as nothing else runs there.
    case spent
  }

  /// How many ended responses a lane remembers, to know their late events.
  static let pastResponsesMax = 64

  var state = State.idle
  /// Requests that continue a response of this lane, in order.
  var bound: Deque<RequestNumber> = []
  /// What was served here last was for this lane or connection alone, while others were waiting for
  /// any.
  var hasServedBound = false
  /// The responses that ended here, latest last: those of which a late event could still come.
  private(set) var pastResponseIDs: Deque<ByteString> = []
  /// The latest of them: the only one that the server continues.
  var lastResponseID: ByteString? { pastResponseIDs.last }
  /// When `lastResponseID` ended, if somebody may still want to continue it here.
  var chainAt: MonotonicInstant?
  /// Whose the latest response is, as far as it said: a continuation's is the one's it continues.
  var chainOwner: Affinity.Preference?
  /// What is under way about what runs here.
  var steering = Steering()
  /// Responses here begin with an event that carries the response's id, as far as seen.
  var beginsIdentified = false

  /// Nothing runs on it.
  var isQuiet: Bool {
    switch state {
    case .idle, .spent: true
    case .busy, .warming, .abandoned: false
    }
  }

  var isIdle: Bool {
    switch state {
    case .idle: true
    case .busy, .warming, .abandoned, .spent: false
    }
  }

  var isSpent: Bool {
    switch state {
    case .spent: true
    case .idle, .busy, .warming, .abandoned: false
    }
  }

  var isWarming: Bool {
    switch state {
    case .warming: true
    case .idle, .busy, .abandoned, .spent: false
    }
  }

  /// It can take any request, and nothing waits for it alone.
  var isFree: Bool { isIdle && bound.isEmpty }
  /// It can take any request, though something waits for it alone: that is not to be served twice
  /// in a row while others wait.
  var isFreeForOthers: Bool { isIdle && !bound.isEmpty && hasServedBound }

  /// The response on it has ended by its terminal event.
  ///
  /// - Parameter isSpent: more of it may come nevertheless.
  mutating func freed(by responseID: ByteString?, isSpent: Bool = false) {
    state = isSpent ? .spent : .idle
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .usesASpentLane { state = .idle }
    #endif
    if let responseID { ended(responseID) }
  }

  /// A response has ended here, whether or not its request has.
  mutating func ended(_ response: ByteString) {
    guard response != lastResponseID else { return }
    if pastResponseIDs.count >= Self.pastResponsesMax { pastResponseIDs.removeFirst() }
    pastResponseIDs.append(response)
  }

  var running: Running? {
    switch state {
    case .busy(let running): running
    case .idle, .warming, .abandoned, .spent: nil
    }
  }
}
