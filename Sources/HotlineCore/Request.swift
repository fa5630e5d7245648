/// Who is served first when several wait.
package enum Priority: String, Hashable, Sendable {
  case interactive, batch
}

/// Which of the upstream's events a client wants to see.
package enum EventFilter: String, Hashable, Sendable {
  /// Everything.
  case all
  /// Text deltas and the terminal event.
  case text
  /// The terminal event only.
  case final
}

/// How a request ended, as `hotline.done` says it.
package enum Outcome: String, Hashable, Sendable, CaseIterable {
  case completed, incomplete, failed
  /// An error line, the upstream's or the daemon's, came before the last line.
  case error
  case cancelled
}

/// Why a request waits, as `hotline.queued` says it.
package enum QueuedReason: String, Hashable, Sendable {
  case busy, connecting, backoff, order
  case rateLimit = "rate_limit"
}

/// What the core needs to know of a request's line; its bytes stay with the driver.
package struct NewRequest: Hashable, Sendable {
  /// Nil: the broker makes one (`"r1"`, `"r2"`, …).
  package var id: RequestID?
  package var upstream: UpstreamIndex
  /// Where it may go instead, in this order, while it was never sent.
  package var alternatives: [UpstreamIndex] = []
  package var conversation: ByteString?
  package var previousResponseID: ByteString?
  /// What the server caches prompts by: requests of one key prefer one connection.
  package var promptCacheKey: ByteString?
  /// Its response is not to be stored (`store:false`): only the lane that makes it continues it.
  package var isUnstored = false
  package var priority: Priority = .interactive
  package var events: EventFilter = .all
  /// Longest wait for a connection; nil: as configured.
  package var waitTimeout: Duration?
  /// Longest whole request; nil: as configured.
  package var timeout: Duration?
  /// Send once more if the connection dies before any event came.
  package var resendsUnanswered = false
  /// Finish although the client hangs up.
  package var finishesOnHangup = false

  package init(id: RequestID?, upstream: UpstreamIndex) {
    self.id = id
    self.upstream = upstream
  }

  func conversationKey(of uid: UInt32) -> Affinity.ConversationKey? {
    conversation.map { Affinity.ConversationKey(uid: uid, conversation: $0) }
  }

  /// What decides which connection suits it; nil: its client does.
  func preference(of uid: UInt32) -> Affinity.Preference? {
    if let key = conversationKey(of: uid) { return .conversation(key) }
    return promptCacheKey.map { .promptCacheKey(uid: uid, key: $0) }
  }

  func previousResponseKey(of uid: UInt32) -> Affinity.ResponseKey? {
    previousResponseID.map { Affinity.ResponseKey(uid: uid, response: $0) }
  }
}

/// An accepted request: open until its one last line.
struct Request: Sendable {
  enum State: Hashable {
    /// In the queue: any connection will do. Next: `.running`.
    case queued
    /// Continues a response of one lane: no other will do. Next: `.running`, or gone.
    case bound(to: ConnectionNumber, lane: Int)
    /// Prefers one connection for a while. Next: `.running`, or `.queued` at `until`.
    case pinned(to: ConnectionNumber, until: MonotonicInstant)
    /// Behind an earlier request of its conversation. Next: `.queued`, `.bound` or `.pinned`.
    case ordered
    /// On a lane. Next: gone, or `.queued` again if nothing of it can have been acted on.
    case running(on: ConnectionNumber, lane: Int)
  }

  let number: RequestNumber
  let client: ClientNumber
  let uid: UInt32
  let id: RequestID
  /// Its upstream changes if it has to go to another.
  var spec: NewRequest
  let arrivedAt: MonotonicInstant
  /// Since when it waits for a connection: its arrival, or the loss of its last one.
  var waitingSince: MonotonicInstant
  /// The instant at which waiting for a connection ends.
  var waitDeadline: MonotonicInstant
  /// The instant at which the whole request ends.
  let deadline: MonotonicInstant
  /// When `hotline.queued` is due; nil once it was sent.
  var noticeAt: MonotonicInstant?
  /// How many were waiting at its upstream when it arrived, itself included.
  var position = 0
  var state = State.queued
  /// What an earlier attempt leaves known; the worst of all attempts counts.
  var sentBefore = HotlineError.Sent.no
  /// It lost a connection then. What killed that one may have killed others unnoticed: it goes only
  /// where the server has been heard since.
  var lostAt: MonotonicInstant?
  /// Events delivered of earlier attempts: notices, as no answered request is sent again.
  var eventsBefore = 0
  /// Nothing but the lane that made what it continues can serve it.
  var isTied = false
  /// It was sent again: given to a second lane after the first may have sent it.
  var isResent = false
  /// When it was last given to a lane.
  var assignedAt: MonotonicInstant?
  /// The connection was open before the request arrived: no handshake was waited for.
  var isReused: Bool?
  var connection: ConnectionNumber?

  var isWaiting: Bool {
    switch state {
    case .queued, .bound, .pinned, .ordered: true
    case .running: false
    }
  }

  var conversationKey: Affinity.ConversationKey? { spec.conversationKey(of: uid) }
  /// Nothing but its client says which connection suits it.
  var prefersByClient: Bool {
    conversationKey == nil && spec.promptCacheKey == nil && spec.previousResponseID == nil
  }
  var previousResponseKey: Affinity.ResponseKey? { spec.previousResponseKey(of: uid) }

  /// The next instant at which something about this request is due.
  var nextDeadline: MonotonicInstant {
    var next = deadline
    guard isWaiting else { return next }
    next = min(next, waitDeadline)
    if let noticeAt { next = min(next, noticeAt) }
    if case .pinned(_, let until) = state { next = min(next, until) }
    return next
  }
}

/// What is known of a request at its end: the contents of its `hotline.done`.
package struct Completion: Hashable, Sendable {
  package var outcome: Outcome
  package var upstream: UpstreamIndex
  package var connection: ConnectionNumber?
  package var isReused: Bool?
  package var isResent = false
  package var responseID: ByteString?
  /// The terminal event's `usage` object, as the server spelt it.
  package var usage: ByteString?
  /// The same of its responses before the last, where a steered response was followed by another.
  package var earlierUsages: [ByteString] = []
  package var queued: Duration
  package var firstEvent: Duration?
  package var firstText: Duration?
  package var total: Duration
  /// Events delivered to the client.
  package var events = 0
}
