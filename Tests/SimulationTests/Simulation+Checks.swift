import HotlineCore
import TestSupport

/// What must hold for every action, seen from outside.
extension Simulation {
  // MARK: Lines

  func accept(_ number: RequestNumber, _ madeID: ByteString?) {
    guard case .line(let client, let answers) = atHand, let spec = arriving, answers == 0,
      let uid = clients[client]?.uid
    else { return complain("accept, though no request's line is at hand") }
    atHand = .line(client, answers: 1)
    guard requests[number] == nil else { return complain("a request number is used twice") }
    guard (spec.id == nil) == (madeID != nil) else {
      return complain("an id is made for a request that has one, or none for one that has none")
    }
    guard let id = spec.id ?? madeID.map(RequestID.string) else { return }
    if clients[client]?.open[id] != nil { return complain("two open requests of one id") }
    if isTerminating { return complain("a request is accepted while draining") }
    let timeout = spec.timeout ?? scenario.limits.requestTimeout
    let wait = spec.waitTimeout ?? scenario.limits.waitTimeout
    requests[number] = TrueRequest(
      number: number, client: client, uid: uid, id: id, spec: spec, arrivedAt: now,
      deadline: now + timeout.nanoseconds, waitTimeout: wait.nanoseconds)
    open.insert(number)
    clients[client]?.open[id] = number
    clients[client]?.idsUsed.append(id)
    if let key = conversationKey(of: number) { conversationTurns[key, default: []].append(number) }
    dials[spec.upstream.rawValue].lastRequestAt = now
    tally.accepted += 1
  }

  func conversationKey(of number: RequestNumber) -> ConversationKey? {
    guard let request = requests[number] else { return nil }
    return request.spec.conversation.map {
      ConversationKey(uid: request.uid, upstream: request.spec.upstream, name: $0)
    }
  }

  func refuse(_ client: ClientNumber, _ error: HotlineError) {
    guard case .line(client, let answers) = atHand, answers == 0 else {
      return complain("a line is answered twice, or one that nobody wrote")
    }
    atHand = .line(client, answers: 1)
    tally.refused += 1
    let refusals: Set<HotlineError.Code> = [
      .invalidRequest, .duplicateRequestID, .unknownRequestID, .notAllowed, .tooManyClients,
      .tooManyRequests, .queueFull, .shuttingDown,
    ]
    guard refusals.contains(error.code) else { return complain("\(error.code) is no refusal") }
    if error.code == .notAllowed || error.code == .tooManyClients {
      clients[client]?.isAccepted = false
    }
    if error.sent != .no { complain("a refused line counts as sent") }
  }

  func checkCloseClient(_ number: ClientNumber) {
    guard let client = clients[number] else { return complain("a client is closed that is gone") }
    if client.closeIsAsked { return complain("client \(number.rawValue) is closed twice") }
    guard client.isAccepted else { return }
    if client.line != .halfClosed || !client.open.isEmpty {
      complain("client \(number.rawValue) is closed while it may still get something")
    }
  }

  func notifyQueued(_ number: RequestNumber, _ position: Int) {
    guard let request = requests[number], request.isOpen else {
      return complain("hotline.queued for no open request")
    }
    requests[number]?.isNoticed = true
    if request.isNoticed { return complain("a second hotline.queued") }
    if now < request.arrivedAt + scenario.limits.queuedNoticeAfter.nanoseconds {
      return complain("hotline.queued too early")
    }
    if position < 1 || isRunning(request) { complain("hotline.queued makes no sense") }
  }

  /// It was sent and neither ended nor lost its connection.
  func isRunning(_ request: TrueRequest) -> Bool {
    guard let attempt = request.attempts.last, let connection = connections[attempt.connection]
    else { return false }
    return connection.isOpenToCore && connection.current == request.number
  }

  // MARK: Sending

  func checkSend(_ number: RequestNumber, _ on: ConnectionNumber, _ lane: Int) {
    guard let request = requests[number], request.isOpen else {
      return complain("\(describe(number)) is sent but not open")
    }
    guard let connection = connections[on], connection.isOpenToCore else {
      return complain("\(describe(number)) is sent on C\(on.rawValue), which is not open")
    }
    guard connection.upstream == request.spec.upstream else {
      return complain("\(describe(number)) is sent to another upstream")
    }
    if !connection.isConfused, connection.current != nil || lane != 0 {
      return complain("two responses on one lane")
    }
    if isRunning(request) { return complain("\(describe(number)) is sent while it runs") }
    checkResend(request)
    checkOrder(request)
    if let previous = request.spec.previousResponseID,
      scenario.upstreams[connection.upstream.rawValue].continuation == .connection,
      makers[previous] != on, !connection.isConfused
    {
      return complain("a continuation is sent on another connection than its maker's")
    }
    checkFairness(request)
  }

  /// Nothing is sent twice without leave.
  private func checkResend(_ request: TrueRequest) {
    let earlier = request.attempts.filter(\.isHandedOver)
    guard let last = request.attempts.last else { return }
    if connections[last.connection]?.isOpenToCore == true {
      return complain("sent again while its first connection is open")
    }
    guard last.isHandedOver else { return }
    tally.resent += 1
    if earlier.count > 1 { return complain("sent a third time") }
    if connections[last.connection]?.isConfused == true { return }
    let hasLeave = request.spec.resendsUnanswered && !last.isAnswered
    let isRefused = last.isRefused && !last.isBegun
    if !hasLeave, !isRefused { complain("sent again without leave") }
  }

  private func checkOrder(_ request: TrueRequest) {
    guard let key = conversationKey(of: request.number) else { return }
    if let first = conversationTurns[key]?.first, first != request.number {
      complain("\(describe(request.number)) is sent before \(describe(first)) of its conversation")
    }
  }

  private func checkFairness(_ request: TrueRequest) {
    let index = request.spec.upstream.rawValue
    var isBatchWaiting = false
    var oldest: [ClientNumber: RequestNumber] = [:]
    for number in open {
      guard let other = requests[number], other.spec.upstream == request.spec.upstream else {
        continue
      }
      if other.client == request.client { requests[number]?.overtakers = [:] }
      guard other.isPlain, number != request.number else { continue }
      if other.spec.priority == .batch {
        isBatchWaiting = true
      } else if other.client != request.client {
        oldest[other.client] = min(oldest[other.client] ?? number, number)
      }
    }
    guard request.spec.priority == .interactive else {
      interactiveInARow[index] = 0
      return
    }
    if !isBatchWaiting { interactiveInARow[index] = 0 }
    guard request.isPlain else { return }
    if isBatchWaiting { interactiveInARow[index] += 1 }
    if interactiveInARow[index] > scenario.limits.interactiveWeight {
      return complain("batch requests are starved")
    }
    for number in oldest.values {
      requests[number]?.overtakers[request.client, default: 0] += 1
      if (requests[number]?.overtakers[request.client] ?? 0) > 1 {
        complain("client \(request.client.rawValue) is served twice before \(describe(number))")
      }
    }
  }

  func checkForward(
    _ number: RequestNumber, _ on: ConnectionNumber, _ response: ByteString
  ) {
    guard let request = requests[number], request.isOpen, isRunning(request),
      let attempt = request.attempts.last, attempt.connection == on
    else { return complain("a control message is forwarded for a request that does not run") }
    if !response.isEmpty, connections[on]?.isConfused == false, connections[on]?.steered == nil,
      attempt.responseID != response
    {
      complain("a control message is forwarded with another's response id")
    }
  }

  // MARK: Receiving

  /// No event reaches a client that did not ask for it.
  ///
  /// What carries no id and comes after the next request on its connection began cannot be told
  /// from that request's own; such a connection is excused from then on.
  func deliver(_ number: RequestNumber) {
    guard case .message(let on, let message) = atHand, let connection = connections[on] else {
      return complain("delivered, though no event is at hand")
    }
    guard let request = requests[number], request.isOpen, let attempt = request.attempts.last else {
      return complain("delivered to \(describe(number)), which is not open")
    }
    guard connection.isOpenToCore, attempt.connection == on else {
      return complain("delivered to \(describe(number)), which does not run on C\(on.rawValue)")
    }
    guard attempt.isHandedOver else {
      return complain("an event reached \(describe(number)) before it was handed over")
    }
    let isOfConnection = message.owner == nil && !message.facts.isResponseEvent
    guard message.owner == number || isOfConnection || connection.isConfused else {
      return complain("an event of \(describe(message.owner)) reached \(describe(number))")
    }
    requests[number]?.delivered += 1
    tally.delivered += 1
    switch (request.spec.events, message.facts.kind) {
    case (.all, _), (_, .terminal), (_, .error), (.text, .text): break
    default: return complain("\(describe(number)) did not want this event")
    }
    guard let client = clients[request.client], client.isStalled else { return }
    if client.unreadBytes >= scenario.limits.bufferBytesMax {
      return complain("delivered over the limit of unread bytes")
    }
    clients[request.client]?.unreadBytes += message.bytes
  }

  // MARK: Connections

  func checkDial(_ number: ConnectionNumber, _ upstream: UpstreamIndex) {
    guard connections[number] == nil else { return complain("a connection number is used twice") }
    let index = upstream.rawValue
    if let failedAt = dials[index].lastFailureAt, now - failedAt < .milliseconds(250) {
      return complain("dialled at once after a failure")
    }
    if now < dials[index].notBefore { return complain("dialled before Retry-After") }
    guard open.isEmpty, now - dials[index].lastRequestAt > .seconds(60) else { return }
    dials[index].idleDials.removeAll { now - $0 > .seconds(60) }
    dials[index].idleDials.append(now)
    if dials[index].idleDials.count > 40 * max(1, scenario.upstreams[index].limits.connectionsWarm)
    {
      complain("a storm of dials while nobody asks for anything")
    }
  }

  func checkClose(_ number: ConnectionNumber, _ reason: CloseReason) {
    guard let connection = connections[number], connection.isOpenToCore else {
      return complain("C\(number.rawValue) is closed but not open")
    }
    switch reason {
    case .idleLimit, .ageLimit, .surplus:
      if connection.current != nil, !connection.isConfused {
        complain("C\(number.rawValue) is closed for \(reason.rawValue) in the middle of a response")
      }
    case .pongTimeout:
      if !connection.isSilent { complain("a live connection is closed for a missing pong") }
    case .abandoned, .abandonedTimeout, .unexpectedEvent, .refusedByServer, .errorInResponse,
      .steered, .shutdown:
      break
    }
  }

  func checkConnectionCounts(of upstream: UpstreamIndex) {
    let limits = scenario.upstreams[upstream.rawValue].limits
    var living = 0
    var dialing = 0
    var idle = 0
    var isReplacing = false
    for number in present {
      guard let connection = connections[number], connection.upstream == upstream else { continue }
      if connection.isLiving { living += 1 }
      if connection.state == .dialing { dialing += 1 }
      if connection.isOpenToCore, connection.current == nil { idle += 1 }
      if connection.isOpenToCore, isAged(connection, limits) { isReplacing = true }
    }
    if dialing > limits.dialsMax { return complain("more dials than dials_max at once") }
    if living > limits.connectionsMax + 1 {
      return complain("\(living) connections, connections_max is \(limits.connectionsMax)")
    }
    if living > limits.connectionsMax, dialing == 0, idle > 0, !isReplacing {
      complain("more than connections_max, though one is idle and none is being replaced")
    }
  }

  /// Old enough that another may take over from it.
  private func isAged(_ connection: SimulatedConnection, _ limits: UpstreamLimits) -> Bool {
    let idleFor = now - connection.activeAt
    return now - connection.openedAt > limits.ageLimit.nanoseconds / 100 * 85
      || (connection.current == nil && idleFor > limits.idleLimit.nanoseconds / 100 * 85)
  }

  // MARK: The whole

  func checkAfterStep() {
    if case .line(_, let answers) = atHand, arriving != nil {
      if answers != 1 { return complain("a request's line is neither accepted nor refused") }
      var waiting = 0
      for number in open where requests[number]?.attempts.isEmpty == true { waiting += 1 }
      if waiting > scenario.limits.queueRequestsMax {
        return complain("\(waiting) requests wait: over queue.requests_max")
      }
    }
    var accepted = 0
    for client in clients.values where client.isAccepted {
      accepted += 1
      if client.open.count > scenario.limits.requestsPerClientMax {
        return complain("a client has more open requests than it may")
      }
      if client.line == .halfClosed, client.open.isEmpty, !client.closeIsAsked {
        return complain("client \(client.number.rawValue) is done but not closed")
      }
    }
    if accepted > scenario.limits.clientsMax { return complain("more clients than clients_max") }
    for index in scenario.upstreams.indices where !isStopped {
      checkConnectionCounts(of: UpstreamIndex(index))
    }
    // With many requests open, looking at all of them at every step would take too long.
    guard open.count < 16 || step % 8 == 0 else { return }
    if let failure = broker.invariantFailures(at: instant).first {
      complain("inside: \(failure)")
    }
  }

  /// After the timer has fired, nothing that was due is still open, and time moves on.
  func checkDeadlines() {
    for number in open {
      guard let request = requests[number] else { continue }
      if request.deadline <= now { return complain("\(describe(number)) outlives its timeout") }
      if request.attempts.isEmpty, request.arrivedAt + request.waitTimeout <= now {
        return complain("\(describe(number)) outlives its wait")
      }
    }
    if isTerminating, now >= terminatedAt + scenario.limits.shutdownTimeout.nanoseconds {
      return complain("the drain outlives shutdown_timeout")
    }
    if tally.timerCallsAtThisInstant > 12 { complain("the timer fires again and again") }
  }

  func checkRequestsAreOver() {
    if let number = open.min() {
      complain("\(describe(number)) never ended, though the servers are well")
    }
  }

  func checkPoolIsWarm() {
    for (index, settings) in scenario.upstreams.enumerated() {
      let own = present.compactMap { connections[$0] }.filter { $0.upstream.rawValue == index }
      let idle = own.count { $0.isOpenToCore && $0.current == nil }
      let dialing = own.count { $0.state == .dialing }
      let warm = settings.limits.connectionsWarm
      if idle + dialing < warm || (warm > 0 && idle == 0) {
        return complain("\(idle) connections are ready, \(warm) should be")
      }
    }
    let explained = 8 * tally.accepted + 4 * tally.dials + 16
    if tally.emptyTimerCalls > explained {
      complain("\(tally.emptyTimerCalls) calls of the timer had no result")
    }
  }
}
