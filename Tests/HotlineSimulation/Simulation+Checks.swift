import HotlineCore

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
    if isTerminating || isDraining { return complain("a request is accepted while draining") }
    if scenario.isRemoved[spec.upstream.rawValue] {
      return complain("a request is accepted for an upstream that is no longer configured")
    }
    let timeout = spec.timeout ?? scenario.limits.requestTimeout
    let wait = spec.waitTimeout ?? scenario.limits.waitTimeout
    requests[number] = TrueRequest(
      number: number, client: client, uid: uid, id: id, spec: spec, arrivedAt: now,
      arrivedIn: step, deadline: now + timeout.nanoseconds, waitTimeout: wait.nanoseconds)
    open.insert(number)
    clients[client]?.open[id] = number
    clients[client]?.idsUsed.append(id)
    let key = conversationKey(of: number)
    if let key { conversationTurns[key, default: []].append(number) }
    if key.flatMap({ conversationTurns[$0]?.first }) ?? number == number { turnComes(of: number) }
    if (clients[client]?.open.count ?? 0) > scenario.limits.requestsPerClientMax {
      return complain("a client has more open requests than it may")
    }
    dials[spec.upstream.rawValue].lastRequestAt = now
    tally.accepted += 1
  }

  /// From now on only the lack of a connection holds a request back.
  func turnComes(of number: RequestNumber) {
    guard let request = requests[number] else { return }
    let limits = scenario.upstreams[request.spec.upstream.rawValue].limits
    let suited = suitable(request)
    requests[number]?.turnAt = now
    requests[number]?.suited = suited
    requests[number]?.patience = limits.patience.nanoseconds
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
    let isWaiting = commands.values.contains { $0.client == number && !$0.isAnswered }
    if client.line != .halfClosed || !client.open.isEmpty || isWaiting {
      complain("client \(number.rawValue) is closed while it may still get something")
    }
  }

  func notifyQueued(_ number: RequestNumber, _ position: Int, _ reason: QueuedReason) {
    guard let request = requests[number], request.isOpen else {
      return complain("hotline.queued for no open request")
    }
    requests[number]?.isNoticed = true
    if request.isNoticed { return complain("a second hotline.queued") }
    if now < request.arrivedAt + scenario.limits.queuedNoticeAfter.nanoseconds {
      return complain("hotline.queued too early")
    }
    if position < 1 || isRunning(request) { complain("hotline.queued makes no sense") }
    checkReason(reason, of: request)
  }

  private func checkReason(_ reason: QueuedReason, of request: TrueRequest) {
    let own = present.compactMap { connections[$0] }.filter { $0.upstream == request.spec.upstream }
    let isOpen = own.contains(where: \.isOpenToCore)
    let isTrue: Bool
    switch reason {
    case .order: isTrue = request.turnAt ?? now == now
    case .busy: isTrue = request.turnAt != nil && isOpen
    // A dial may begin in this very step.
    case .connecting: isTrue = request.turnAt != nil && !isOpen
    case .backoff: isTrue = request.turnAt != nil && !isOpen
    case .rateLimit:
      isTrue =
        request.turnAt != nil && !isOpen && dials[request.spec.upstream.rawValue].lastStatus == 429
    }
    if !isTrue {
      complain("\(describe(request.number)) waits for another reason than \(reason.rawValue)")
    }
  }

  /// It was sent and neither ended nor lost its connection.
  func isRunning(_ request: TrueRequest) -> Bool {
    guard let attempt = request.attempts.last, let connection = connections[attempt.connection]
    else { return false }
    return connection.isOpenToCore && connection.lanes[attempt.lane].current == request.number
  }

  // MARK: Sending

  func checkSend(_ number: RequestNumber, _ on: ConnectionNumber, _ name: Int?) {
    guard let request = requests[number], request.isOpen else {
      return complain("\(describe(number)) is sent but not open")
    }
    guard let connection = connections[on], connection.isOpenToCore else {
      return complain("\(describe(number)) is sent on C\(on.rawValue), which is not open")
    }
    guard connection.upstream == request.spec.upstream else {
      return complain("\(describe(number)) is sent to another upstream")
    }
    checkLane(name, of: connection)
    if isRunning(request) { return complain("\(describe(number)) is sent while it runs") }
    checkResend(request)
    checkOrder(request)
    checkOutdated(request, connection)
    if let previous = request.spec.previousResponseID,
      scenario.upstreams[connection.upstream.rawValue].continuation == .connection,
      makers[previous] != Maker(connection: on, lane: name ?? 0), !connection.isConfused
    {
      return complain("a continuation is sent on another lane than its maker's")
    }
    checkFairness(request, on)
  }

  private func checkLane(_ name: Int?, of connection: SimulatedConnection) {
    let lane = name ?? 0
    guard connection.lanes.indices.contains(lane) else {
      return complain("lane \(lane) of a connection of \(connection.lanes.count)")
    }
    if name == nil, connection.echo == .present {
      return complain("sent without a lane's name on a connection that has several")
    }
    if name != nil, connection.lanes.count == 1 || connection.echo == .absent {
      return complain("sent with a lane's name on a connection that has none")
    }
    if name != nil, connection.echo == .unknown, laneless.contains(connection.upstream) {
      return complain("a server that has shown that it knows no lanes is asked for them again")
    }
    if name == nil, connection.lanes.count > 1, connection.echo == .unknown,
      !laneless.contains(connection.upstream)
    {
      return complain("sent without a lane's name, though nobody refused lanes")
    }
    guard !connection.isConfused else { return }
    if connection.lanes[lane].current != nil { return complain("two responses on one lane") }
    if connection.lanes[lane].isSpent {
      return complain("sent on a lane of which more may come")
    }
    if connection.isBusy, connection.echo != .present {
      complain("two responses on a connection that has echoed no lane")
    }
  }

  /// What was made with credentials that are no longer in force takes nothing new.
  private func checkOutdated(_ request: TrueRequest, _ connection: SimulatedConnection) {
    guard let outdatedAt = connection.outdatedAt else { return }
    let continues = request.spec.previousResponseID.flatMap { makers[$0]?.connection }
    if request.arrivedIn > outdatedAt || continues != connection.number {
      complain("\(describe(request.number)) is sent on a connection of before the reload")
    }
  }

  /// Nothing is sent twice without leave.
  private func checkResend(_ request: TrueRequest) {
    let earlier = request.attempts.filter(\.isHandedOver)
    guard let last = request.attempts.last else { return }
    if connections[last.connection]?.isOpenToCore == true, !last.isRefused {
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

  /// Whom each request was served before. Those that got the connection that suits them best are
  /// not counted: they wait in no line but for that.
  private func checkFairness(_ request: TrueRequest, _ on: ConnectionNumber) {
    let index = request.spec.upstream.rawValue
    var isBatchWaiting = false
    var oldest: [ClientNumber: RequestNumber] = [:]
    for number in open {
      guard let other = requests[number], other.spec.upstream == request.spec.upstream else {
        continue
      }
      if other.client == request.client { requests[number]?.overtakers = [:] }
      guard other.isPlain, number != request.number, isImpatient(other) else { continue }
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
    let mayBePinned = request.suited.union(suitable(request)).contains(on) && !isImpatient(request)
    guard request.isPlain, !mayBePinned else { return }
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

  /// It no longer waits for the connection that suits it best: the timer was called after that.
  func isImpatient(_ request: TrueRequest) -> Bool {
    request.turnAt.map { timerCalledAt > $0 + request.patience } ?? false
  }

  /// The connections that served the request's kind last.
  private func suitable(_ request: TrueRequest) -> Set<ConnectionNumber> {
    let byKey = promptCacheKey(of: request).flatMap { servedKeys[$0] }
    return Set([servedClients[request.client], byKey].compactMap(\.self))
  }

  private func promptCacheKey(of request: TrueRequest) -> PromptCacheKey? {
    guard request.spec.conversation == nil else { return nil }
    return request.spec.promptCacheKey.map {
      PromptCacheKey(uid: request.uid, upstream: request.spec.upstream, key: $0)
    }
  }

  func notePreference(of number: RequestNumber, _ on: ConnectionNumber) {
    guard let request = requests[number] else { return }
    servedClients[request.client] = on
    if let key = promptCacheKey(of: request) { servedKeys[key] = on }
  }

  func checkForward(
    _ number: RequestNumber, _ on: ConnectionNumber, _ name: Int?, _ response: ByteString
  ) {
    guard let request = requests[number], request.isOpen, isRunning(request),
      let attempt = request.attempts.last, attempt.connection == on
    else { return complain("a control message is forwarded for a request that does not run") }
    if (name ?? 0) != attempt.lane {
      return complain("a control message is forwarded on another lane")
    }
    if !response.isEmpty, let connection = connections[on], !connection.isConfused,
      connection.lanes[attempt.lane].steered == nil, attempt.responseID != response
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
    if let failedAt = dials[index].lastFailureAt {
      // One that was opened at the same instant may have proved that the server is well.
      let isWell = present.contains { other in
        connections[other].map { $0.upstream == upstream && $0.openedAt == failedAt } ?? false
      }
      if now - failedAt < .milliseconds(250), !isWell {
        return complain("dialled at once after a failure")
      }
      if now < dials[index].notBefore, !isWell { return complain("dialled before Retry-After") }
    }
    guard open.isEmpty, now - dials[index].lastRequestAt > .seconds(60) else { return }
    dials[index].idleDials.removeAll { now - $0 > .seconds(60) }
    dials[index].idleDials.append(now)
    if dials[index].idleDials.count > 40 * max(1, scenario.upstreams[index].limits.connectionsWarm)
    {
      complain("a storm of dials while nobody asks for anything")
    }
  }

  func checkClose(_ number: ConnectionNumber, _ reason: CloseReason) {
    guard let connection = connections[number], connection.isOpenToCore || connection.isDialing
    else { return complain("C\(number.rawValue) is closed but not open") }
    let isForReload = reason == .reloaded && isReloading
    if connection.isDialing, !isForReload {
      return complain("the dial of C\(number.rawValue) is given up")
    }
    guard !connection.isConfused else { return }
    let wanted = connection.lanes.compactMap(\.current).first { requests[$0]?.isOpen == true }
    switch reason {
    case .idleLimit, .ageLimit, .surplus:
      if connection.isBusy {
        complain("C\(number.rawValue) is closed for \(reason.rawValue) in the middle of a response")
      }
    case .abandoned, .abandonedTimeout, .steered, .errorInResponse, .reloaded:
      if let wanted {
        complain("C\(number.rawValue) is closed while \(describe(wanted)) runs there")
      }
      let limits = scenario.upstreams[connection.upstream.rawValue].limits
      if reason == .abandoned, limits.cancel == .drain, !connection.isMarred {
        complain("C\(number.rawValue) is dropped, though cancel is drain")
      }
    case .pongTimeout:
      if !connection.isSilent, !connection.hasSlept {
        complain("a live connection is closed for a missing pong")
      }
    case .refusedByServer:
      if let wanted, let attempt = requests[wanted]?.attempts.last, attempt.isBegun {
        complain("C\(number.rawValue) is closed while \(describe(wanted)) is answered there")
      }
    case .unexpectedEvent, .shutdown:
      break
    }
  }

  private func living(of upstream: UpstreamIndex) -> [SimulatedConnection] {
    present.compactMap { connections[$0] }.filter { $0.upstream == upstream && $0.isLiving }
  }

  func checkConnectionCountsWhileDialing(_ upstream: UpstreamIndex) {
    let limits = scenario.upstreams[upstream.rawValue].limits
    let living = living(of: upstream)
    if living.count(where: \.isDialing) > limits.dialsMax {
      return complain("more dials than dials_max at once")
    }
    // What only finishes what it has gives its place away, but not without end.
    let counted = living.count { !$0.mayBeRetiring }
    if counted > limits.connectionsMax + 1 || living.count > 2 * limits.connectionsMax + 1 {
      complain("\(living.count) connections, connections_max is \(limits.connectionsMax)")
    }
  }

  func checkConnectionCounts(of upstream: UpstreamIndex) {
    let limits = scenario.upstreams[upstream.rawValue].limits
    var counted = 0
    var isDialing = false
    var isIdle = false
    var isReplacing = false
    for number in present {
      guard let connection = connections[number], connection.upstream == upstream,
        connection.isLiving
      else { continue }
      if !connection.mayBeRetiring { counted += 1 }
      if connection.isDialing { isDialing = true }
      if connection.isOpenToCore {
        if !connection.isBusy, !connection.mayBeRetiring { isIdle = true }
        if isAged(connection, limits) { isReplacing = true }
      }
    }
    guard counted > limits.connectionsMax, !isDialing, isIdle, !isReplacing else { return }
    // What waits for the connection that suits it may keep that open.
    let isWaitedFor = open.contains { number in
      requests[number].map { $0.spec.upstream == upstream && $0.attempts.isEmpty } ?? false
    }
    if !isWaitedFor {
      complain("more than connections_max, though one is idle and none is being replaced")
    }
  }

  /// Old enough that another may take over from it.
  func isAged(_ connection: SimulatedConnection, _ limits: UpstreamLimits) -> Bool {
    let idleFor = now - connection.activeAt
    return now - connection.openedAt > limits.ageLimit.nanoseconds / 100 * 85
      || (!connection.isBusy && idleFor > limits.idleLimit.nanoseconds / 100 * 85)
  }
}
