import DequeModule

/// Puts the requests of local clients on the lanes of upstream connections, and brings the events
/// back: the top-level machine.
///
/// Pure value, confined to the daemon loop: every input is a fact in the past tense with its
/// instant, every answer a list of actions to be performed in order. The three promises live here:
/// an event goes to the request that its lane runs or to nobody; every accepted request ends in one
/// `.finish`; nothing is sent twice without leave.
package struct Broker: Sendable {
  enum Phase: Hashable {
    /// Next: `.draining`, `.terminating`.
    case running
    /// Somebody asked for a drain: new requests are refused, accepted ones finished. Next:
    /// `.running` by a reload, `.terminating`.
    case draining
    /// New requests are refused, accepted ones finished until `until`. Next: `.stopped`.
    case terminating(until: MonotonicInstant)
    /// `.stop` has been handed out.
    case stopped
  }

  /// A local connection.
  struct Client: Sendable {
    let uid: UInt32
    var open: [RequestID: RequestNumber] = [:]
    /// It will send no more; it is closed when nothing of it is open.
    var isHalfClosed = false
    /// Its close has been handed out.
    var isClosing = false
    /// The number of the latest id made for a request that brought none.
    var idsMade: UInt64 = 0
    /// Its drains that have not been answered.
    var drains: [CommandNumber] = []
    /// The connection that served it last, whichever upstream's.
    var lastServedOn: ConnectionNumber?
  }

  /// One upstream with everything that waits for it.
  struct Upstream: Sendable {
    /// The requests of a conversation, served one after the other.
    struct Order: Sendable {
      var current: RequestNumber
      var followers: Deque<RequestNumber> = []
    }

    var pool: UpstreamPool
    var queue: RequestQueue
    var affinity: Affinity
    var orders: [Affinity.ConversationKey: Order] = [:]
    /// Requests whose turn in their conversation has come, to be placed when the input is
    /// concluded.
    var released: Deque<RequestNumber> = []
    /// All that wait, wherever: in the queue, for a connection, or for their order.
    var waitingCount = 0
    /// Those of them that wait for one connection, or for one of its lanes.
    var attachedCount = 0
    /// Those of these that prefer their connection only because it served their client last: at
    /// most one of a client's, and none while the queue holds anything.
    var patient: [RequestNumber] = []
    /// When a connection was lost last from which something came back.
    var lostAt: MonotonicInstant?
    /// A connection that has opened just now, to be warmed up if nobody waits for it.
    var opened: ConnectionNumber?
    var rateLimits = RateLimits()
    /// Something that came here could go elsewhere.
    var hasAlternatives = false
  }

  package internal(set) var limits: Limits
  package let ownerUID: UInt32
  var upstreams: [Upstream]
  var clients: [ClientNumber: Client] = [:]
  var requests: [RequestNumber: Request] = [:]
  var deadlines = DeadlineQueue()
  var phase = Phase.running
  var nextRequest: UInt64 = 1
  var nextConnection: UInt64 = 1
  /// Upstreams that something was moved to since they were settled.
  var unsettled: [Int] = []
  let seed: UInt64
  package internal(set) var counters = Counters()

  /// - Parameter seed: decides all jitter.
  package init(
    limits: Limits, upstreams settings: [UpstreamSettings], ownerUID: UInt32, seed: UInt64
  ) {
    #if HOTLINE_PLANTED_FAULTS
      let limits = PlantedFault.current?.changed(limits) ?? limits
      let settings = settings.map { PlantedFault.current?.changed($0) ?? $0 }
    #endif
    self.limits = limits
    self.ownerUID = ownerUID
    self.seed = seed
    upstreams = settings.enumerated().map { index, settings in
      Upstream(index, settings, limits, seed: seed)
    }
  }

  /// The daemon has begun: connections may be dialled.
  package mutating func started(at now: MonotonicInstant) -> [Action] {
    conclude([], at: now)
  }

  // MARK: Clients

  /// A local connection was accepted.
  ///
  /// - Parameter isAllowed: the configuration lets this client in, whoever it is.
  package mutating func clientConnected(
    _ client: ClientNumber, uid: UInt32, isAllowed: Bool = false, at now: MonotonicInstant
  ) -> [Action] {
    guard uid == ownerUID || uid == 0 || isAllowed else {
      counters.clientsRefused += 1
      let error = HotlineError(
        .notAllowed,
        "uid \(uid) may not use this daemon, which serves uid \(ownerUID); run one of your own, or "
          + "have that user add you to socket.allowed_uids", origin: .client)
      return [.refuse(client, error), .closeClient(client)]
    }
    guard clients.count < limits.clientsMax else {
      counters.clientsRefused += 1
      let error = HotlineError(
        .tooManyClients,
        "all \(limits.clientsMax) places for clients are taken; "
          + "close some or raise socket.clients_max",
        isRetryable: true)
      return [.refuse(client, error), .closeClient(client)]
    }
    counters.clientsAccepted += 1
    clients[client] = Client(uid: uid)
    return []
  }

  /// The client shut down its writing side: everything it sent has been read.
  package mutating func clientHalfClosed(
    _ client: ClientNumber, at now: MonotonicInstant
  ) -> [Action] {
    guard clients[client] != nil else { return [] }
    clients[client]?.isHalfClosed = true
    return closeIfDone(client)
  }

  /// The client is gone: nothing can be written to it any more.
  package mutating func clientClosed(
    _ number: ClientNumber, at now: MonotonicInstant
  ) -> [Action] {
    guard let client = clients.removeValue(forKey: number) else { return [] }
    var actions: [Action] = []
    for request in client.open.values.sorted() {
      guard requests[request]?.spec.finishesOnHangup == false else { continue }
      counters.requestsHungUp += 1
      actions += end(request, .cancelled, at: now)
    }
    return conclude(actions, at: now)
  }

  /// The configuration no longer lets a client in: its requests end, whatever they said of a
  /// hang-up, and so does its connection.
  package mutating func clientDismissed(
    _ number: ClientNumber, at now: MonotonicInstant
  ) -> [Action] {
    guard let client = clients[number], client.uid != ownerUID, client.uid != 0, !client.isClosing
    else { return [] }
    let why =
      "uid \(client.uid) may no longer use this daemon; have uid \(ownerUID), whose it is, add you "
      + "to socket.allowed_uids"
    var actions: [Action] = []
    for request in client.open.values.sorted() {
      guard let sent = requests[request].map({ self.sent(of: $0) }) else { continue }
      let error = HotlineError(.cancelled, why, sent: sent, isRetryable: false)
      actions += end(request, .cancelled, with: error, at: now)
    }
    clients[number]?.isClosing = true
    clients[number]?.drains = []
    actions += refuse(number, HotlineError(.notAllowed, why, origin: .client))
    return conclude(actions + [.closeClient(number)], at: now)
  }

  /// Requests of a client that have not had their last line.
  package func openRequestCount(of client: ClientNumber) -> Int {
    clients[client]?.open.count ?? 0
  }

  mutating func closeIfDone(_ number: ClientNumber) -> [Action] {
    guard let client = clients[number], client.isHalfClosed, client.open.isEmpty,
      client.drains.isEmpty, !client.isClosing
    else { return [] }
    clients[number]?.isClosing = true
    return [.closeClient(number)]
  }

  // MARK: Time

  /// The next instant at which ``deadlineReached(at:)`` wants to be called; early is harmless.
  package func nextDeadline(at now: MonotonicInstant) -> MonotonicInstant? {
    guard phase != .stopped else { return nil }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .wakesForNothing { return now }
    #endif
    var next = deadlines.nextDeadline
    // By their indices: a copy of each would cost more than all the rest.
    for index in upstreams.indices {
      let waiting = waitingForConnections(index, at: now)
      let candidate = upstreams[index].pool.nextDeadline(waiting: waiting, at: now)
      if let candidate { next = min(next ?? candidate, candidate) }
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .forgetsAHoldThatIsOver, heldUntil(index, at: now) == nil {
          continue
        }
      #endif
      // Though it has passed: an event may have come since that served nobody.
      guard upstreams[index].waitingCount > 0, let until = holdEnd(index) else { continue }
      next = min(next ?? until, until)
    }
    if case .terminating(let until) = phase { next = min(next ?? until, until) }
    return next
  }

  package mutating func deadlineReached(at now: MonotonicInstant) -> [Action] {
    guard phase != .stopped else { return [] }
    if case .terminating(let until) = phase, now >= until { return stopNow(at: now) }
    var actions: [Action] = []
    while let number = deadlines.popDue(at: now) {
      actions += requestDue(number, at: now)
    }
    for index in upstreams.indices {
      for brief in upstreams[index].pool.connections.briefs where brief.dueAt <= now {
        actions += connectionDue(brief.number, of: index, at: now)
        upstreams[index].pool.connections.refresh(brief.number)
      }
    }
    return conclude(actions, at: now)
  }

  private mutating func requestDue(_ number: RequestNumber, at now: MonotonicInstant) -> [Action] {
    guard let request = requests[number] else { return [] }
    if now >= request.deadline {
      return end(number, .error, with: timeoutError(of: request, at: now), at: now)
    }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsAQueueTimeout, now >= request.waitDeadline { return [] }
    #endif
    guard request.isWaiting else {
      deadlines.schedule(number, at: request.nextDeadline)
      return []
    }
    if now >= request.waitDeadline {
      return end(number, .error, with: queueTimeoutError(of: request, at: now), at: now)
    }
    var actions: [Action] = []
    if let noticeAt = request.noticeAt, now >= noticeAt {
      requests[number]?.noticeAt = nil
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .saysNotThatItWaits, request.state == .ordered { return [] }
      #endif
      let reason = queuedReason(of: request, at: now)
      counters.requestsQueued += 1
      actions.append(.notifyQueued(number, position: request.position, reason: reason))
    }
    if case .pinned(_, let until) = request.state, now >= until {
      detach(request)
      enqueue(number)
    }
    if let next = requests[number]?.nextDeadline { deadlines.schedule(number, at: next) }
    return actions
  }

  private func queuedReason(of request: Request, at now: MonotonicInstant) -> QueuedReason {
    switch request.state {
    case .ordered: return .order
    case .bound, .pinned, .queued:
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .hidesARateLimit { break }
      #endif
      if heldUntil(request.spec.upstream.rawValue, at: now) != nil { return .rateLimit }
    case .running: break
    }
    guard case .queued = request.state else { return .busy }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .namesAnotherReason { return .connecting }
    #endif
    let pool = upstreams[request.spec.upstream.rawValue].pool
    // What only finishes what it has will not take it.
    if pool.connections.readyCount > 0 { return .busy }
    if pool.backoff.failures > 0 || pool.backoff.notBefore.map({ now < $0 }) ?? false {
      return pool.lastFailure?.status == 429 ? .rateLimit : .backoff
    }
    // Where none is ready and none has failed, a dial is under way or begins now.
    return .connecting
  }

  private func timeoutError(of request: Request, at now: MonotonicInstant) -> HotlineError {
    let waited = request.arrivedAt.duration(to: request.deadline)
    var detail = "the request did not end within its \(waited.inWords)"
    let pool = upstreams[request.spec.upstream.rawValue].pool
    if request.isWaiting, let failure = pool.lastFailure {
      detail +=
        "; it was waiting for a connection; the last failure to connect: \(failure.detail); "
        + ConnectionFailure.remedy
    } else {
      detail += "; raise timeout_ms"
    }
    return HotlineError(.timeout, detail, sent: sent(of: request), isRetryable: true)
  }

  private func queueTimeoutError(of request: Request, at now: MonotonicInstant) -> HotlineError {
    let waited = request.waitingSince.duration(to: request.waitDeadline).inWords
    if request.state != .ordered,
      let until = heldUntil(request.spec.upstream.rawValue, at: now)
    {
      return HotlineError(
        .queueTimeout,
        "the server's rate limit is used up, for another \(now.duration(to: until).inWords) after "
          + "\(waited) of waiting; raise queue_timeout_ms, or set rate_limits = \"send\"",
        sent: request.sentBefore, isRetryable: true)
    }
    let prefix: String
    let remedy: String
    switch request.state {
    case .ordered:
      prefix = "the requests before it in its conversation did not end within \(waited)"
      remedy = "raise queue_timeout_ms, or leave out hotline.conversation to run side by side"
    case .bound:
      prefix = "what can continue previous_response_id was busy for \(waited)"
      remedy = "raise queue_timeout_ms, or send the conversation in full to run elsewhere"
    case .queued, .pinned, .running:
      prefix = "no connection was free within \(waited)"
      remedy = "raise queue_timeout_ms or connections_max"
    }
    let pool = upstreams[request.spec.upstream.rawValue].pool
    guard let failure = pool.lastFailure, case .queued = request.state else {
      return HotlineError(
        .queueTimeout, prefix + "; " + remedy, sent: request.sentBefore, isRetryable: true)
    }
    var error = failure.error(
      .queueTimeout, prefix + "; the last failure to connect", sent: request.sentBefore,
      isRetryable: true)
    error.origin = .daemon
    return error
  }

  // MARK: Common ends of inputs

  /// Gives free lanes to what waits, then opens and closes connections as needed.
  private mutating func settle(_ index: Int, at now: MonotonicInstant) -> [Action] {
    guard phase != .stopped else { return [] }
    if let end = holdEnd(index), end <= now { upstreams[index].rateLimits.holdIsOver() }
    if upstreams[index].pool.giveUpIfDue(at: now) { counters.circuitsOpened += 1 }
    var actions = failOver(index, at: now) + failHopeless(index, at: now)
    while !upstreams[index].released.isEmpty {
      actions += placeReleased(index, at: now)
      // One whose turn has come may go elsewhere in its turn.
      actions += failOver(index, at: now)
    }
    actions += dispatch(index, at: now)
    actions += warmUpOpened(index, at: now)
    let waiting = waitingForConnections(index, at: now)
    let balance = upstreams[index].pool.balance(
      waiting: waiting, next: &nextConnection, at: now)
    guard !balance.isEmpty else { return actions }
    for case .closeConnection(_, let reason) in balance {
      counters.connectionsClosed[reason, default: 0] += 1
    }
    for case .dial in balance { counters.connectionsDialed += 1 }
    // What was closed just now may have been the last that kept the others waiting.
    if upstreams[index].pool.giveUpIfDue(at: now) { counters.circuitsOpened += 1 }
    actions += balance + failOver(index, at: now) + failHopeless(index, at: now)
    // What went elsewhere leaves its turn to those behind it that cannot.
    if !upstreams[index].released.isEmpty { unsettled.append(index) }
    return actions
  }

  private mutating func settleAll(at now: MonotonicInstant) -> [Action] {
    var actions = upstreams.indices.flatMap { settle($0, at: now) }
    while let index = unsettled.popLast() { actions += settle(index, at: now) }
    return actions
  }

  /// The end of every input that may have freed or demanded something: what waits is served,
  /// connections are opened and closed as needed, and a drain ends when nothing is open any more.
  mutating func conclude(_ actions: [Action], at now: MonotonicInstant) -> [Action] {
    var actions = actions
    switch phase {
    case .running, .draining:
      actions += settleAll(at: now)
    case .terminating where !requests.isEmpty:
      actions += settleAll(at: now)
    case .terminating, .stopped:
      break
    }
    guard phase != .running, requests.isEmpty else { return actions }
    actions += answerDrains(with: nil)
    guard case .terminating = phase else { return actions }
    phase = .stopped
    return actions + [.stop]
  }
}

extension Broker.Upstream {
  init(_ index: Int, _ settings: UpstreamSettings, _ limits: Limits, seed: UInt64) {
    pool = UpstreamPool(
      index: UpstreamIndex(index), settings: settings, seed: seed &+ UInt64(index))
    queue = RequestQueue(interactiveWeight: limits.interactiveWeight)
    affinity = Affinity(entriesMax: limits.affinityEntriesMax)
  }
}

extension Duration {
  /// For messages: `25 s`, `0.5 s`.
  var inWords: String {
    let milliseconds = wholeNanoseconds / 1_000_000
    let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    guard rest != 0 else { return "\(seconds) s" }
    var digits = String(1000 + rest).dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return "\(seconds).\(digits) s"
  }
}
