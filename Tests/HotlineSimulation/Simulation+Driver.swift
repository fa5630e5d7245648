import HotlineCore

/// The driver's part: it brings facts to the core and performs what the core decides.
extension Simulation {
  // MARK: Facts

  func handOver(_ request: RequestNumber, to number: ConnectionNumber, attempt: Int) {
    // A message that was not handed over when its connection closes never is.
    guard let connection = connections[number], connection.isOpenToCore, !connection.isCut else {
      return
    }
    requests[request]?.attempts[attempt].isHandedOver = true
    feed("R\(request.rawValue) is handed over to C\(number.rawValue)") {
      $0.requestHandedOver(request, on: number)
      return []
    }
    if requests[request]?.isWarmUp == true {
      serveWarmUp(request, on: number)
    } else {
      serve(request, on: number, attempt: attempt)
    }
  }

  func arrive(_ message: Message, on number: ConnectionNumber) {
    guard let connection = connections[number], connection.state == .open, !connection.isCut,
      !connection.isSilent, violation == nil, !isStopped
    else { return }
    guard connection.isOpenToCore || scenario.passesStaleMessages else { return }
    if holdsBack(.messageArrives(number, message), on: connection) { return }
    if isRefusedUnread(message, on: connection) || isCancelled(message, on: connection) { return }
    if message.refusesControl, !isPlainRefusal(message, on: connection) { return }
    // What a server planned to complain of while it was ill.
    if phase != .acting, message.owner == nil, message.facts.kind != .notice { return }
    if connection.isOpenToCore, isHarmful(message, on: connection) { return }
    let unread = unreadBytes(on: number, for: message.facts)
    let mustClose = isViolation(message.facts, on: connection)
    if connection.isOpenToCore {
      noteComplaint(message, on: connection)
      learn(message, on: number)
    }
    noteHeard(number)
    atHand = .message(number, message)
    connections[number]?.hasSlept = false
    let instant = instant
    let isAwaited = broker.bytesHeard(on: number, of: connection.upstream, at: instant)
    feed("C\(number.rawValue) says \(describe(message))") { broker in
      let facts = message.facts
      if facts.isResponseEvent, facts.responseID == nil, facts.controlAnswer == nil,
        facts.kind == .text
          || facts.kind == .progress
      {
        let progress = broker.progressArrived(
          isText: facts.kind == .text, on: number, of: connection.upstream, lane: facts.lane,
          unreadBytes: unread, at: instant)
        switch progress {
        case .deliver(let request):
          return [.deliver(request)] + (isAwaited ? broker.deadlineReached(at: instant) : [])
        case .skip: return isAwaited ? broker.deadlineReached(at: instant) : []
        case .unusual: break
        }
      }
      return broker.eventArrived(
        facts, on: number, of: connection.upstream, unreadBytes: unread, at: instant)
    }
    tellLimits(of: message, on: connection)
    if mustClose, connections[number]?.isOpenToCore == true {
      complain("C\(number.rawValue) stays open after an event of no running response")
    }
    if let owner = message.owner, message.facts.isResponseEvent {
      releaseLine(of: owner, on: number)
    }
    holdIfWanted(number)
  }

  /// Part of a response, but of a lane on which none runs, or which there is not.
  private func isViolation(_ facts: EventFacts, on connection: SimulatedConnection) -> Bool {
    guard facts.isResponseEvent, connection.isOpenToCore, !connection.isConfused else {
      return false
    }
    guard let lane = connection.lane(of: facts) else { return facts.controlAnswer == nil }
    let known = connection.lanes[lane]
    return known.current == nil && !known.isSpent && !known.mayBeSpent
  }

  /// A server that is done with a connection does not answer what it has not begun.
  private func isRefusedUnread(_ message: Message, on connection: SimulatedConnection) -> Bool {
    guard !scenario.servers[connection.upstream.rawValue].goesOnAfterRefusal,
      let attempts = message.owner.flatMap({ requests[$0]?.attempts })
    else { return false }
    return attempts.contains { $0.connection == connection.number && $0.isRefused }
  }

  /// An error that is not a request's own, but that nobody could tell from one: the protocol has
  /// no answer to it, so the simulated servers do not send it.
  private func isHarmful(_ message: Message, on connection: SimulatedConnection) -> Bool {
    guard message.facts.kind == .error, let lane = connection.lane(of: message.facts),
      let current = connection.lanes[lane].current, message.owner != current || message.isLate,
      let attempt = requests[current]?.attempts.last
    else { return false }
    return attempt.isHandedOver && !attempt.isBegun
  }

  func hearPieces(on number: ConnectionNumber) {
    guard let connection = connections[number], connection.isOpenToCore, !connection.isCut,
      !connection.isSilent, !holdsBack(.piecesArrive(number), on: connection)
    else { return }
    noteHeard(number)
    let instant = instant
    feed("C\(number.rawValue) says a piece of something") {
      $0.bytesHeard(on: number, of: connection.upstream, at: instant)
        ? $0.deadlineReached(at: instant) : []
    }
  }

  func pong(_ id: UInt64, on number: ConnectionNumber) {
    guard let connection = connections[number], connection.isOpenToCore, !connection.isCut,
      !connection.isSilent, !holdsBack(.pongArrives(number, id: id), on: connection)
    else { return }
    let instant = instant
    noteHeard(number)
    connections[number]?.hasSlept = false
    feed("C\(number.rawValue) answers ping \(id)") {
      _ = $0.bytesHeard(on: number, of: connection.upstream, at: instant)
      return $0.pongReceived(id: id, on: number, of: connection.upstream, at: instant)
    }
  }

  /// A dial failed or a connection ended.
  func end(_ number: ConnectionNumber, _ failure: ConnectionFailure) {
    guard let connection = connections[number], connection.state != .gone else { return }
    if connection.isSilent, !connection.closeIsAsked { return }
    if holdsBack(.connectionEnds(number, failure), on: connection) { return }
    let isLostWarmingUp = noteWarmUpLoss(with: connection)
    if !connection.closeIsAsked { noteEnding(of: connection, failure) }
    connections[number]?.state = .gone
    connections[number]?.isCut = true
    mayHaveReturned = true
    present.remove(number)
    if !connection.closeIsAsked {
      if connection.isDialing {
        noteDialFailure(of: connection, failure)
      } else if !isLostWarmingUp {
        noteTrouble(of: connection, failure)
      }
    }
    let instant = instant
    feed("C\(number.rawValue) is gone: \(failure.kind.rawValue), \(failure.detail)") {
      $0.connectionClosed(number, of: connection.upstream, failure, at: instant)
    }
  }

  // MARK: Actions

  func perform(_ action: Action) {
    digest(action)
    switch action {
    case .accept(let request, let madeID): accept(request, madeID)
    case .refuse(let client, let error): refuse(client, error)
    case .send(let request, let connection, let lane): send(request, connection, lane)
    case .warmUp(let request, let connection, let lane): warmUp(request, connection, lane)
    case .accountForWarmUp(let connection, _): accountForWarmUp(connection)
    case .giveUpWarmUps(let upstream, let reason): giveUpWarmUps(upstream, reason)
    case .giveUpLanes(let upstream): giveUpLanes(upstream)
    case .forward(let request, let connection, let response):
      forward(request, connection, response)
    case .cancelResponse(let response, let connection): askToCancel(response, on: connection)
    case .deliver(let request): deliver(request)
    case .notifyQueued(let request, let position, let reason):
      notifyQueued(request, position, reason)
    case .finish(let request, let error, let completion): finish(request, error, completion)
    case .dial(let connection, let upstream): dial(connection, upstream)
    case .sendPing(let connection, let id): ping(connection, id)
    case .closeConnection(let connection, let reason): close(connection, reason)
    case .closeClient(let client): closeClient(client)
    case .answer(let command, let error): answer(command, error)
    case .stop: stop()
    }
  }

  /// FNV-1a over what is done and when, so that two runs can be compared.
  private func digest(_ action: Action) {
    let kind: UInt64 =
      switch action {
      case .accept(let request, _): 1 + request.rawValue << 8
      case .refuse(let client, _): 2 + client.rawValue << 8
      case .send(let request, let connection, _):
        3 + request.rawValue << 8 + connection.rawValue << 32
      case .forward(let request, _, _): 4 + request.rawValue << 8
      case .deliver(let request): 5 + request.rawValue << 8
      case .notifyQueued(let request, _, _): 6 + request.rawValue << 8
      case .finish(let request, _, _): 7 + request.rawValue << 8
      case .dial(let connection, _): 8 + connection.rawValue << 8
      case .sendPing(let connection, _): 9 + connection.rawValue << 8
      case .closeConnection(let connection, _): 10 + connection.rawValue << 8
      case .closeClient(let client): 11 + client.rawValue << 8
      case .stop: 12
      case .answer(let command, _): 13 + command.rawValue << 8
      case .cancelResponse(_, let connection): 14 + connection.rawValue << 8
      case .warmUp(let request, let connection, _):
        17 + request.rawValue << 8 + connection.rawValue << 32
      case .accountForWarmUp(let connection, _): 15 + connection.rawValue << 8
      case .giveUpWarmUps(let upstream, _): 16 + UInt64(upstream.rawValue) << 8
      case .giveUpLanes(let upstream): 18 + UInt64(upstream.rawValue) << 8
      }
    for word in [kind, UInt64(bitPattern: now)] {
      tally.digest = (tally.digest ^ word) &* 0x100_0000_01B3
    }
  }

  private func dial(_ number: ConnectionNumber, _ upstream: UpstreamIndex) {
    checkDial(number, upstream)
    connections[number] = SimulatedConnection(
      number: number, upstream: upstream,
      lanesCount: laneless.contains(upstream)
        ? 1 : scenario.upstreams[upstream.rawValue].limits.lanes,
      dialedAt: now)
    present.insert(number)
    tally.dials += 1
    checkConnectionCountsWhileDialing(upstream)
    planDial(number, of: upstream)
  }

  private func close(_ number: ConnectionNumber, _ reason: CloseReason) {
    checkClose(number, reason)
    noteWarmUpClosed(number, reason)
    if reason == .abandoned, let connection = connections[number] { noteDrop(of: connection) }
    if reason == .pongTimeout { connections[number]?.lostAt = now }
    connections[number]?.closeIsAsked = true
    mayHaveReturned = true
    let failure = ConnectionFailure(.local, reason.rawValue)
    agenda.plan(
      .connectionEnds(number, failure), at: now + random.time(1000, .seconds(2)))
  }

  private func closeClient(_ number: ClientNumber) {
    checkCloseClient(number)
    clients[number]?.closeIsAsked = true
    agenda.plan(.clientIsClosed(number), at: now + random.time(1000, .milliseconds(20)))
  }

  private func send(_ request: RequestNumber, _ number: ConnectionNumber, _ name: Int?) {
    checkSend(request, number, name)
    guard violation == nil, let connection = connections[number] else { return }
    let lane = name ?? 0
    requests[request]?.attempts.append(
      TrueRequest.Attempt(connection: number, lane: lane, isNamed: name != nil))
    requests[request]?.waitsAgainSince = nil
    returned.remove(request)
    connections[number]?.lanes[lane].current = request
    connections[number]?.lanes[lane].steering = TrueSteering()
    connections[number]?.lanes[lane].giveUpAt = nil
    connections[number]?.lanes[lane].chainAt = nil
    notePreference(of: request, number)
    // Where others run beside it nobody's server is held up.
    if wanted(on: number).count > 1 { release(number) }
    if second.chance(scenario.client.regrets) {
      agenda.plan(.clientRegrets(request), at: now + second.time(1000, .milliseconds(60)))
    }
    let attempt = (requests[request]?.attempts.count ?? 1) - 1
    if random.chance(faults(of: connection.upstream).lossBeforeHandOver) {
      let is1009 = random.oneIn(4)
      let failure = ConnectionFailure(
        is1009 ? .closed : .lost, "cut while sending", closeCode: is1009 ? 1009 : nil)
      return cut(number, failure, after: random.time(0, .milliseconds(50)))
    }
    agenda.plan(
      .requestIsHandedOver(request, number, attempt: attempt),
      at: now + random.time(1, .milliseconds(40)))
  }

  private func stop() {
    isStopped = true
    if !isTerminating { return complain("stop, though nobody asked for it") }
    if now > terminationEndsAt + scenario.timerLateMax, leaptAt < terminationEndsAt {
      return complain("stop later than shutdown_timeout")
    }
    if let request = open.min() {
      complain("stop while \(describe(request)) has no last line")
    }
    if commands.contains(where: { !$0.value.isAnswered }) {
      complain("stop while a drain has no answer")
    }
  }
}
