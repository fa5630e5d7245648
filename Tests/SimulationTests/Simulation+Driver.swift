import HotlineCore
import TestSupport

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
    serve(request, on: number, attempt: attempt)
  }

  func arrive(_ message: Message, on number: ConnectionNumber) {
    guard let connection = connections[number], connection.state == .open, !connection.isCut,
      !connection.isSilent, violation == nil, !isStopped
    else { return }
    guard connection.isOpenToCore || scenario.passesStaleMessages else { return }
    if connection.isOpenToCore, isHarmful(message, on: connection) { return }
    if connection.isOpenToCore { learn(message, on: number) }
    atHand = .message(number, message)
    let unread = unreadBytes(on: connection)
    let instant = instant
    broker.bytesHeard(on: number, of: connection.upstream, at: instant)
    feed("C\(number.rawValue) says \(describe(message))") { broker in
      let facts = message.facts
      if facts.isResponseEvent, facts.responseID == nil,
        facts.kind == .text
          || facts.kind == .progress
      {
        let progress = broker.progressArrived(
          isText: facts.kind == .text, on: number, of: connection.upstream, unreadBytes: unread,
          at: instant)
        switch progress {
        case .deliver(let request): return [.deliver(request)]
        case .skip: return []
        case .unusual: break
        }
      }
      return broker.eventArrived(
        facts, on: number, of: connection.upstream, unreadBytes: unread, at: instant)
    }
  }

  /// An error that is not a request's own, but that nobody could tell from one: the protocol has
  /// no answer to it, so the simulated servers do not send it.
  private func isHarmful(_ message: Message, on connection: SimulatedConnection) -> Bool {
    guard message.facts.kind == .error, message.owner == nil || message.isLate,
      let current = connection.current, let attempt = requests[current]?.attempts.last
    else { return false }
    return attempt.isHandedOver && !attempt.isBegun
  }

  private func unreadBytes(on connection: SimulatedConnection) -> Int {
    guard let current = connection.current, let request = requests[current] else { return 0 }
    return clients[request.client]?.unreadBytes ?? 0
  }

  func pong(_ id: UInt64, on number: ConnectionNumber) {
    guard let connection = connections[number], connection.isOpenToCore, !connection.isCut,
      !connection.isSilent
    else { return }
    let instant = instant
    feed("C\(number.rawValue) answers ping \(id)") {
      $0.bytesHeard(on: number, of: connection.upstream, at: instant)
      $0.pongReceived(id: id, on: number, of: connection.upstream, at: instant)
      return []
    }
  }

  /// A dial failed or a connection ended.
  func end(_ number: ConnectionNumber, _ failure: ConnectionFailure) {
    guard let connection = connections[number], connection.state != .gone else { return }
    if connection.isSilent, !connection.closeIsAsked { return }
    let isFailedDial =
      connection.state == .dialing || (!connection.closeIsAsked && failure.kind != .local)
    connections[number]?.state = .gone
    connections[number]?.isCut = true
    present.remove(number)
    if isFailedDial { noteDialFailure(of: connection, failure) }
    let instant = instant
    feed("C\(number.rawValue) is gone: \(failure.kind.rawValue), \(failure.detail)") {
      $0.connectionClosed(number, of: connection.upstream, failure, at: instant)
    }
  }

  private func noteDialFailure(of connection: SimulatedConnection, _ failure: ConnectionFailure) {
    guard connection.state == .dialing else { return }
    let index = connection.upstream.rawValue
    dials[index].lastFailureAt = now
    let after = failure.retryAfter.map { min($0.nanoseconds, .seconds(600)) } ?? 0
    dials[index].notBefore = now + after
  }

  // MARK: Actions

  func perform(_ action: Action) {
    digest(action)
    switch action {
    case .accept(let request, let madeID): accept(request, madeID)
    case .refuse(let client, let error): refuse(client, error)
    case .send(let request, let connection, let lane): send(request, connection, lane)
    case .forward(let request, let connection, _, let response):
      forward(request, connection, response)
    case .deliver(let request): deliver(request)
    case .notifyQueued(let request, let position, _): notifyQueued(request, position)
    case .finish(let request, let error, let completion): finish(request, error, completion)
    case .dial(let connection, let upstream): dial(connection, upstream)
    case .sendPing(let connection, let id): ping(connection, id)
    case .closeConnection(let connection, let reason): close(connection, reason)
    case .closeClient(let client): closeClient(client)
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
      case .forward(let request, _, _, _): 4 + request.rawValue << 8
      case .deliver(let request): 5 + request.rawValue << 8
      case .notifyQueued(let request, _, _): 6 + request.rawValue << 8
      case .finish(let request, _, _): 7 + request.rawValue << 8
      case .dial(let connection, _): 8 + connection.rawValue << 8
      case .sendPing(let connection, _): 9 + connection.rawValue << 8
      case .closeConnection(let connection, _): 10 + connection.rawValue << 8
      case .closeClient(let client): 11 + client.rawValue << 8
      case .stop: 12
      }
    for word in [kind, UInt64(bitPattern: now)] {
      tally.digest = (tally.digest ^ word) &* 0x100_0000_01B3
    }
  }

  private func dial(_ number: ConnectionNumber, _ upstream: UpstreamIndex) {
    checkDial(number, upstream)
    connections[number] = SimulatedConnection(number: number, upstream: upstream)
    present.insert(number)
    tally.dials += 1
    checkConnectionCounts(of: upstream)
    planDial(number, of: upstream)
  }

  private func ping(_ number: ConnectionNumber, _ id: UInt64) {
    guard connections[number]?.isOpenToCore == true else {
      return complain("a ping on C\(number.rawValue), which is not open")
    }
    agenda.plan(.pongArrives(number, id: id), at: now + random.time(1000, .milliseconds(150)))
  }

  private func close(_ number: ConnectionNumber, _ reason: CloseReason) {
    checkClose(number, reason)
    connections[number]?.closeIsAsked = true
    let failure = ConnectionFailure(.local, reason.rawValue)
    agenda.plan(
      .connectionEnds(number, failure), at: now + random.time(1000, .seconds(2)))
  }

  private func closeClient(_ number: ClientNumber) {
    checkCloseClient(number)
    clients[number]?.closeIsAsked = true
    agenda.plan(.clientIsClosed(number), at: now + random.time(1000, .milliseconds(20)))
  }

  private func send(_ request: RequestNumber, _ number: ConnectionNumber, _ lane: Int) {
    checkSend(request, number, lane)
    guard violation == nil, let connection = connections[number] else { return }
    requests[request]?.attempts.append(TrueRequest.Attempt(connection: number))
    connections[number]?.current = request
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

  private func forward(
    _ request: RequestNumber, _ number: ConnectionNumber, _ response: ByteString
  ) {
    checkForward(request, number, response)
    connections[number]?.steered = request
    guard random.oneIn(2) else { return }
    // The steered response goes on as another one.
    nextResponse += 1
    var facts = EventFacts(.progress, isResponseEvent: true)
    facts.responseID = ByteString("resp_\(nextResponse)".utf8)
    say(Message(facts: facts, owner: request), on: number, after: random.time(1, 100_000))
  }

  private func stop() {
    isStopped = true
    if !isTerminating { return complain("stop, though nobody asked for it") }
    if let request = open.min() {
      complain("stop while \(describe(request)) has no last line")
    }
  }
}
