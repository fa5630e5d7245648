import HotlineCore

/// What simulated servers, and the network before them, do.
extension Simulation {
  var isPeaceful: Bool { phase != .acting }

  func faults(of upstream: UpstreamIndex) -> Scenario.Faults {
    isPeaceful ? Scenario.Faults() : scenario.servers[upstream.rawValue].faults
  }

  private func outage(of upstream: UpstreamIndex) -> Scenario.Outage? {
    guard !isPeaceful else { return nil }
    return scenario.servers[upstream.rawValue].outages.first { now >= $0.from && now < $0.until }
  }

  func beginOutage(of upstream: UpstreamIndex) {
    guard outage(of: upstream)?.cutsConnections == true else { return }
    for number in present.sorted() where connections[number]?.upstream == upstream {
      guard connections[number]?.state == .open else { continue }
      cut(number, ConnectionFailure(.lost, "the server went away"), after: 1000)
    }
  }

  // MARK: Dials

  func planDial(_ number: ConnectionNumber, of upstream: UpstreamIndex) {
    let timeout = scenario.upstreams[upstream.rawValue].limits.connectTimeout.nanoseconds
    let isSlow = random.oneIn(10) && !isPeaceful
    let length = isSlow ? random.time(.seconds(1), timeout) : random.time(1000, .milliseconds(300))
    agenda.plan(.dialEnds(number), at: now + length)
  }

  func dialEnds(_ number: ConnectionNumber) {
    guard let connection = connections[number], connection.state == .dialing,
      !connection.closeIsAsked
    else { return }
    var fault = outage(of: connection.upstream)?.fault
    if fault == nil, random.chance(faults(of: connection.upstream).dialFails) {
      fault = random.pick(Scenario.DialFault.allCases)
    }
    guard let fault else { return open(number, of: connection.upstream) }
    if let failure = refusal(fault) { return end(number, failure) }
    open(number, of: connection.upstream)
    let soon = random.time(1, .seconds(1))
    switch fault {
    case .closesPolicy: cut(number, closed(1008, "policy"), after: soon)
    case .closesBeta: cut(number, closed(4000, "beta"), after: soon)
    case .closesNormally: cut(number, closed(1000, ""), after: soon)
    case .betaError:
      var facts = EventFacts(.error)
      facts.errorCode = "beta_api_shape_disabled"
      facts.errorDetail = "beta_api_shape_disabled"
      say(Message(facts: facts), on: number, after: soon)
      cut(number, closed(4000, "beta"), after: soon + 1000)
    default: cut(number, ConnectionFailure(.lost, "reset"), after: soon)
    }
  }

  /// How a dial fails; nil where it succeeds at first.
  private func refusal(_ fault: Scenario.DialFault) -> ConnectionFailure? {
    switch fault {
    case .unauthorized: ConnectionFailure(.upgradeRefused, "401", status: 401)
    case .notFound: ConnectionFailure(.upgradeRefused, "404", status: 404)
    case .tooManyRequests:
      ConnectionFailure(
        .upgradeRefused, "429", status: 429,
        retryAfter: random.oneIn(3) ? nil : .seconds(random.pick([0, 1, 7, 100, 5000])))
    case .unavailable: ConnectionFailure(.upgradeRefused, "503", status: 503)
    case .unreachable: ConnectionFailure(.unreachable, "connection refused")
    case .timesOut: ConnectionFailure(.unreachable, "the connect timeout ran out")
    case .tls: ConnectionFailure(.tls, "certificate verify failed")
    case .notHTTP: ConnectionFailure(.upgradeInvalid, "not HTTP")
    case .closesPolicy, .closesBeta, .closesNormally, .isLostAtOnce, .betaError: nil
    }
  }

  private func closed(_ code: Int, _ reason: String) -> ConnectionFailure {
    ConnectionFailure(
      .closed, "the server closed: \(code)", closeCode: code, closeReason: reason)
  }

  private func open(_ number: ConnectionNumber, of upstream: UpstreamIndex) {
    connections[number]?.state = .open
    for lane in connections[number]?.lanes.indices ?? 0..<0 {
      connections[number]?.lanes[lane].busyUntil = now
    }
    connections[number]?.openedAt = now
    noteHeard(number)
    connections[number]?.activeAt = now
    noteOpened(upstream.rawValue, dialedAt: connections[number]?.dialedAt ?? now)
    tally.opened += 1
    let faults = faults(of: upstream)
    if scenario.servers[upstream.rawValue].greets {
      say(Message(facts: EventFacts(.notice)), on: number, after: random.time(1, 10_000))
    }
    if random.chance(faults.idleNoise) {
      for _ in 0...random.below(3) { planNoise(on: number, of: upstream) }
    }
    if random.chance(faults.fallsSilent / 3) {
      agenda.plan(.connectionFallsSilent(number), at: now + random.time(0, .seconds(100)))
    }
    if second.chance(faults.refusesConnection) { planRefusal(on: number) }
    if random.chance(faults.connectionIsLost / 3) {
      cut(number, closed(random.pick([1000, 1001, 1006, 1011]), "bye"), after: .seconds(20))
    }
    let instant = instant
    feed("C\(number.rawValue) is open") { $0.connectionOpened(number, of: upstream, at: instant) }
    checkIsWarmedUp(number)
  }

  /// Messages that belong to no response.
  private func planNoise(on number: ConnectionNumber, of upstream: UpstreamIndex) {
    var facts = EventFacts(.notice)
    switch random.below(8) {
    case 0, 1: break
    case 2, 3: facts = EventFacts(.progress)
    case 4: facts = EventFacts(.unusable)
    case 5:
      facts = EventFacts(.error)
      facts.errorCode = random.pick(["websocket_connection_limit_reached", "session_expired"])
    case 6: facts = EventFacts(.error)
    default:
      guard random.chance(faults(of: upstream).strayResponses) else { break }
      facts = EventFacts(random.pick([.progress, .text, .terminal(.completed)]))
      facts.isResponseEvent = true
      if random.oneIn(2) { facts.responseID = ByteString("resp_stray\(random.below(3))".utf8) }
    }
    say(Message(facts: facts), on: number, after: random.time(0, .seconds(120)))
  }

  /// The server has had enough of a connection, whatever runs there.
  private func planRefusal(on number: ConnectionNumber) {
    var facts = EventFacts(.error)
    facts.errorCode = second.pick(["websocket_connection_limit_reached", "session_expired"])
    say(Message(facts: facts), on: number, after: second.time(.milliseconds(1), .seconds(60)))
  }

  // MARK: Ends

  /// The server's side of a connection ends; the daemon learns of it `delay` later.
  func cut(_ number: ConnectionNumber, _ failure: ConnectionFailure, after delay: Int64) {
    agenda.plan(.connectionEnds(number, failure), at: now + delay)
  }

  func say(_ message: Message, on number: ConnectionNumber, after delay: Int64) {
    agenda.plan(.messageArrives(number, message), at: now + delay)
  }

  // MARK: Responses

  /// The server has received a request and plans its whole answer.
  func serve(_ request: RequestNumber, on number: ConnectionNumber, attempt index: Int) {
    guard let connection = connections[number], let truth = requests[request] else { return }
    let faults = faults(of: connection.upstream)
    let attempt = truth.attempts[index]
    let name = lane(named: attempt, on: number)
    // A server that knows no lanes serves one request after the other.
    let busyUntil =
      name == .none
      ? connection.lanes.map(\.busyUntil).max() ?? 0 : connection.lanes[attempt.lane].busyUntil
    var script = Script(owner: request, lane: name, startingAt: max(now, busyUntil))
    script.wait(random.time(1000, random.oneIn(20) ? .seconds(30) : .milliseconds(800)))
    let fate = Fate(faults, &random)
    let previous = truth.spec.previousResponseID
    let settings = scenario.upstreams[connection.upstream.rawValue]
    let isLaneRefused = attempt.isNamed && manners(of: connection.upstream) == .refuses
    if isLaneRefused {
      script.fail("invalid_request_error", param: "stream_id")
    } else if let previous, settings.continuation == .connection || unstored.contains(previous),
      connection.lanes[attempt.lane].latestResponse != previous
    {
      script.fail("previous_response_not_found")
    } else {
      write(fate, into: &script, on: number, connection.upstream, lane: attempt.lane)
    }
    // What is late may come in the middle of what follows.
    let isOverAt = script.clock
    if second.chance(faults.duplicates) { script.duplicate(second.below(64)) }
    if random.chance(faults.lateEvents) { writeLate(into: &script) }
    if name != .none, second.chance(faults.namesWrongLane) {
      script.misname(second.below(64), as: wrongName(for: attempt.lane, on: connection))
    }
    plan(script, on: number)
    planLimits(on: number, faults)
    connections[number]?.lanes[attempt.lane].busyUntil = script.isEndless ? .max / 2 : isOverAt
  }

  func plan(_ script: Script, on number: ConnectionNumber) {
    for (instant, message) in script.messages {
      agenda.plan(.messageArrives(number, message), at: instant)
    }
    switch script.end {
    case .none: break
    case .cut(let failure):
      // In the middle of a message.
      if second.oneIn(2) { agenda.plan(.piecesArrive(number), at: script.clock) }
      agenda.plan(.connectionEnds(number, failure), at: script.clock)
    case .silence: agenda.plan(.connectionFallsSilent(number), at: script.clock)
    }
  }

  func manners(of upstream: UpstreamIndex) -> Scenario.LaneManners {
    scenario.servers[upstream.rawValue].lanes
  }

  /// How the server names the lane of an attempt.
  func lane(named attempt: TrueRequest.Attempt, on number: ConnectionNumber) -> LaneReference {
    guard attempt.isNamed, let upstream = connections[number]?.upstream,
      manners(of: upstream) == .echoes
    else { return .none }
    return .lane(attempt.lane)
  }

  /// Another busy lane's, an idle lane's, one that does not exist, or none.
  private func wrongName(for lane: Int, on connection: SimulatedConnection) -> LaneReference {
    let others = connection.lanes.indices.filter { $0 != lane }
    let busy = others.filter { connection.lanes[$0].current != nil }
    let idle = others.filter { connection.lanes[$0].current == nil }
    switch second.below(4) {
    case 0 where !busy.isEmpty: return .lane(second.pick(busy))
    case 1 where !idle.isEmpty: return .lane(second.pick(idle))
    case 2: return .none
    case 3: return .lane(LaneName.countMax - 1)
    default: return .unknown
    }
  }

  private func write(
    _ fate: Fate, into script: inout Script, on number: ConnectionNumber,
    _ upstream: UpstreamIndex, lane: Int
  ) {
    let deltas = scenario.isChatty ? 150 : random.oneIn(10) ? 40 : random.below(6)
    switch fate {
    case .refusal:
      return script.fail(
        random.pick(["websocket_connection_limit_reached", "session_expired"]), isRefusal: true)
    case .error: return script.fail("invalid_prompt")
    case .silenceBefore: return script.end = .silence
    case .lossBefore: return script.end = .cut(lossFailure())
    case .nothing: return script.isEndless = true
    case .wholeAnswer, .loss, .silence, .errorWithin, .unusableWithin, .silentEnd: break
    }
    nextResponse += 1
    let id = ByteString("resp_\(nextResponse)".utf8)
    if scenario.servers[upstream.rawValue].identifies {
      script.responseID = id
      madeResponse(id, of: script.owner, on: number, lane: lane)
    }
    script.begin()
    for _ in 0..<deltas {
      script.wait(random.time(0, .milliseconds(100)))
      script.delta(isText: !random.oneIn(3), bytes: 1 + random.below(300))
    }
    switch fate {
    case .loss: script.end = .cut(lossFailure())
    case .silence: script.end = .silence
    case .silentEnd: script.isEndless = true
    case .errorWithin: script.fail("server_error")
    case .unusableWithin:
      script.say(Message(facts: EventFacts(.unusable), owner: script.owner))
      script.finish(.completed)
    default:
      script.finish(random.oneIn(6) ? random.pick([.failed, .incomplete]) : .completed)
    }
  }

  private func writeLate(into script: inout Script) {
    guard script.isOver else { return }
    for _ in 0...random.below(3) {
      if random.oneIn(2) { script.wait(random.time(0, .seconds(3))) }
      script.late(random.below(3))
    }
  }

  func lossFailure() -> ConnectionFailure {
    switch random.below(5) {
    case 0: closed(1009, "message too big")
    case 1: closed(random.pick([1000, 1001, 1011, 1012]), "going")
    case 2: closed(random.pick([1002, 1003, 1007, 1008, 1010]), "never again")
    case 3: ConnectionFailure(.protocolViolation, "a reserved bit was set")
    default: ConnectionFailure(.lost, "reset by peer")
    }
  }
}
