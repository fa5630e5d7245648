import HotlineCore

/// What clients say about their running responses, and what comes of it.
///
/// A request has ended when its response has and nothing about it is under way: until then its lane
/// is its own, and what follows is its client's.
struct TrueSteering {
  var unanswered = 0
  var accepted = 0
  var isSteered = false
  var interrupts = 0
  /// Its latest response has ended, and more may follow until then.
  var endsAt: Int64?
  /// Responses of the request that runs, the running one too.
  var responses: Set<ByteString> = []
  var cancelAskedFor: ByteString?

  var isUnsettled: Bool { unanswered + accepted > 0 }
  var awaitsAnswer: Bool { unanswered + interrupts > 0 }
  var isInterrupted: Bool { interrupts > 0 }
  var mayBringAnother: Bool { isUnsettled || isInterrupted }

  mutating func answered(_ answer: ControlAnswer) {
    switch answer {
    case .accepted:
      unanswered = max(0, unanswered - 1)
      accepted += 1
    case .applied: unanswered = max(0, unanswered - 1)
    case .failed(wasAccepted: true) where accepted > 0, .pending where accepted > 0: accepted -= 1
    case .failed, .pending: unanswered = max(0, unanswered - 1)
    case .refused where unanswered > 0: unanswered -= 1
    case .refused: interrupts = max(0, interrupts - 1)
    case .other: break
    }
  }
}

extension Simulation {
  // MARK: The server's part

  func forward(_ request: RequestNumber, _ number: ConnectionNumber, _ response: ByteString) {
    checkForward(request, number, response)
    guard case .control(let message, _, _) = asked, violation == nil,
      let attempt = requests[request]?.attempts.last, let connection = connections[number]
    else { return }
    let lane = attempt.lane
    if message == .interrupt {
      connections[number]?.wasInterrupted = true
      connections[number]?.lanes[lane].steering.interrupts += 1
    } else {
      connections[number]?.lanes[lane].steering.unanswered += 1
    }
    if message == .steer { connections[number]?.lanes[lane].steering.isSteered = true }
    // Of a server that does not name its responses nobody knows which was meant.
    guard !response.isEmpty else { return }
    let about = About(
      request: request, response: response, connection: number, lane: lane,
      name: self.lane(named: attempt, on: number))
    let at = now + fifth.time(1000, .milliseconds(80))
    guard scenario.servers[connection.upstream.rawValue].knowsControls else {
      return refuseControl(about, at: at)
    }
    switch message {
    case .interrupt: break
    case .inject:
      guard !fifth.oneIn(8) else { return }
      answer(fifth.oneIn(3) ? .failed(wasAccepted: false) : .applied, about, at: at)
    case .steer: planSteer(about, at: at, endsAt: max(at, connection.lanes[lane].busyUntil))
    }
  }

  /// Whose message is answered, and where.
  private struct About {
    let request: RequestNumber
    let response: ByteString
    let connection: ConnectionNumber
    let lane: Int
    let name: LaneReference
  }

  /// As a server does that does not know such messages.
  private func refuseControl(_ about: About, at instant: Int64) {
    var facts = EventFacts(.error)
    facts.errorType = "invalid_request_error"
    facts.errorCode = "unknown_event"
    facts.errorStatus = 400
    let message = Message(facts: facts, owner: about.request, refusesControl: true)
    agenda.plan(.messageArrives(about.connection, message), at: instant)
  }

  /// Nobody could take it for anything but the answer to a message about what runs there.
  func isPlainRefusal(_ message: Message, on connection: SimulatedConnection) -> Bool {
    guard let owner = message.owner, !connection.isConfused,
      let lane = connection.lane(of: owner), requests[owner]?.attempts.last?.isBegun == true,
      connection.lanes[lane].steering.awaitsAnswer,
      connection.lanes[lane].steering.cancelAskedFor == nil
    else { return false }
    return connection.lanes.indices.allSatisfy { other in
      other == lane || !connection.lanes[other].steering.awaitsAnswer
    }
  }

  private func answer(_ answer: ControlAnswer, _ about: About, at instant: Int64) {
    var facts = EventFacts(.progress, isResponseEvent: true)
    facts.controlAnswer = answer
    facts.responseID = about.response
    facts.lane = about.name
    if case .failed = answer, fifth.oneIn(3) { facts.lane = .none }
    agenda.plan(
      .messageArrives(about.connection, Message(facts: facts, owner: about.request)), at: instant)
  }

  /// - Parameter end: when the response is over for its server, or will be.
  private func planSteer(_ about: About, at instant: Int64, endsAt end: Int64) {
    let isEndless = end >= .max / 2
    switch fifth.below(8) {
    case 0: break
    case 1: answer(.failed(wasAccepted: false), about, at: instant)
    case 2 where !isEndless:
      answer(.accepted, about, at: instant)
      let late = max(instant, end) + fifth.time(1000, .milliseconds(50))
      answer(fifth.oneIn(2) ? .pending : .failed(wasAccepted: true), about, at: late)
    case 3:
      // It forgets what it has taken.
      answer(.accepted, about, at: instant)
    default:
      answer(.accepted, about, at: instant)
      if !isEndless { planSuccessor(of: about, from: max(instant, end)) }
    }
  }

  private func planSuccessor(of about: About, from instant: Int64) {
    guard let upstream = connections[about.connection]?.upstream else { return }
    var script = Script(owner: about.request, lane: about.name, startingAt: instant)
    script.wait(fifth.time(1000, .milliseconds(400)))
    nextResponse += 1
    let id = ByteString("resp_\(nextResponse)".utf8)
    guard scenario.servers[upstream.rawValue].identifies else { return }
    script.responseID = id
    madeResponse(id, of: about.request, on: about.connection, lane: about.lane)
    script.begin()
    for _ in 0..<fifth.below(5) {
      script.wait(fifth.time(0, .milliseconds(60)))
      script.delta(isText: true, bytes: 10)
    }
    script.finish(fifth.oneIn(6) ? fifth.pick([.failed, .incomplete]) : .completed)
    for (at, message) in script.messages {
      agenda.plan(.messageArrives(about.connection, message), at: at)
    }
    connections[about.connection]?.lanes[about.lane].busyUntil = script.clock
  }

  // MARK: Cancels

  func askToCancel(_ response: ByteString, on number: ConnectionNumber) {
    guard let connection = connections[number], connection.isOpenToCore else {
      return complain("a response is cancelled on a connection that is not open")
    }
    connections[number]?.wasInterrupted = true
    guard !connection.isConfused else { return }
    let limits = scenario.upstreams[connection.upstream.rawValue].limits
    guard
      let lane = connection.lanes.firstIndex(where: { $0.steering.responses.contains(response) }),
      let current = connection.lanes[lane].current, requests[current]?.isOpen == false
    else { return complain("a response is cancelled that somebody wants, or that is over") }
    if limits.cancel != .ask {
      return complain("a response is cancelled, though cancel is not ask")
    }
    if connection.lanes[lane].steering.cancelAskedFor == response {
      return complain("a response is cancelled twice")
    }
    connections[number]?.lanes[lane].steering.cancelAskedFor = response
    agenda.plan(
      .cancelArrives(number, current, lane: lane, response),
      at: now + fifth.time(1000, .milliseconds(60)))
  }

  /// The server has read a cancel.
  func cancelArrives(
    on number: ConnectionNumber, for request: RequestNumber, lane: Int, _ response: ByteString
  ) {
    guard let connection = connections[number], connection.isOpenToCore, !connection.isCut,
      let attempt = requests[request]?.attempts.last, attempt.connection == number
    else { return }
    let at = now + fifth.time(1000, .milliseconds(60))
    // Some do not know it.
    if fifth.oneIn(8) { return }
    let isOver = connection.lanes[lane].current != request || attempt.responseID != response
    if isOver || fifth.oneIn(8) {
      var facts = EventFacts(.error)
      facts.errorCode = isOver ? "response_cancel_not_active" : "unknown_event"
      facts.lane = self.lane(named: attempt, on: number)
      return agenda.plan(
        .messageArrives(number, Message(facts: facts, owner: request)), at: at)
    }
    var facts = EventFacts(.terminal(.cancelled), isResponseEvent: true)
    facts.responseID = response
    facts.lane = self.lane(named: attempt, on: number)
    connections[number]?.cancelled.insert(request)
    connections[number]?.lanes[lane].busyUntil = at
    agenda.plan(
      .messageArrives(number, Message(facts: facts, owner: request, isLast: true)), at: at)
  }

  /// What its server had yet to say of a response when it was cancelled.
  func isCancelled(_ message: Message, on connection: SimulatedConnection) -> Bool {
    guard let owner = message.owner, connection.cancelled.contains(owner) else { return false }
    return message.facts.kind != .terminal(.cancelled)
  }

  // MARK: What is known

  /// The lane that an answer is of, as far as the core can know.
  func laneAnswered(by facts: EventFacts, on connection: SimulatedConnection) -> Int? {
    let lane: Int
    if facts.lane == .none, connection.lanes.count > 1, connection.echo == .present {
      let named = connection.lanes.firstIndex { known in
        facts.responseID.map { known.steering.responses.contains($0) } ?? false
      }
      guard let named else { return nil }
      lane = named
    } else {
      guard let named = connection.lane(of: facts) else { return nil }
      lane = named
    }
    guard let current = connection.lanes[lane].current,
      requests[current]?.attempts.last?.isBegun == true
    else { return nil }
    let isAbout = facts.responseID.map { connection.lanes[lane].steering.responses.contains($0) }
    return isAbout ?? true ? lane : nil
  }

  func learn(_ answer: ControlAnswer, _ facts: EventFacts, on number: ConnectionNumber) {
    guard let connection = connections[number],
      let lane = laneAnswered(by: facts, on: connection)
    else { return }
    connections[number]?.lanes[lane].steering.answered(answer)
    settle(lane, of: number)
  }

  func learnRefusedControl(_ message: Message, on number: ConnectionNumber) {
    guard let lane = message.owner.flatMap({ connections[number]?.lane(of: $0) }) else { return }
    connections[number]?.lanes[lane].steering.answered(.refused)
    settle(lane, of: number)
  }

  /// The lane is free once its response has ended and nothing about it is under way.
  func settle(_ lane: Int, of number: ConnectionNumber) {
    guard let known = connections[number]?.lanes[lane], known.steering.endsAt != nil,
      !known.steering.isUnsettled, let current = known.current
    else { return }
    if requests[current]?.isOpen == true { toEnd.append(current) }
    free(lane, of: number)
  }

  func learnTerminal(
    _ outcome: Outcome, _ facts: EventFacts, on number: ConnectionNumber, _ lane: Int,
    of response: ByteString?
  ) {
    guard let connection = connections[number] else { return }
    connections[number]?.activeAt = now
    connections[number]?.lanes[lane].latestResponse = response
    connections[number]?.lanes[lane].latestOutcome = outcome
    if let response { connections[number]?.lanes[lane].pastResponses.insert(response) }
    if facts.isSuperseded, connection.lanes[lane].steering.isSteered {
      connections[number]?.lanes[lane].steering.accepted = max(
        1, connection.lanes[lane].steering.accepted)
    }
    let timeout = scenario.upstreams[connection.upstream.rawValue].limits.steerTimeout
    connections[number]?.lanes[lane].steering.endsAt = now + timeout.nanoseconds
    settle(lane, of: number)
  }

  private func free(_ lane: Int, of number: ConnectionNumber) {
    guard let known = connections[number]?.lanes[lane] else { return }
    connections[number]?.activeAt = now
    connections[number]?.lanes[lane].current = nil
    connections[number]?.lanes[lane].steering.endsAt = nil
    let isLate = known.steering.cancelAskedFor != nil && known.latestOutcome != .cancelled
    guard known.steering.isInterrupted || isLate else { return }
    connections[number]?.isMarred = true
    connections[number]?.lanes[lane].isSpent = true
  }

  /// Another response has begun in the place of one that has ended.
  func learnResponse(_ id: ByteString, on number: ConnectionNumber, _ lane: Int) {
    guard connections[number]?.lanes[lane].steering.responses.contains(id) == false else { return }
    connections[number]?.lanes[lane].steering.responses.insert(id)
    connections[number]?.lanes[lane].steering.endsAt = nil
    connections[number]?.lanes[lane].steering.accepted = 0
  }

  // MARK: Checks

  /// A last line that says how its response ended, though more of the request may come.
  ///
  /// - Returns: whether the lane is given up with it.
  func checkSettled(_ request: TrueRequest, _ outcome: Outcome, _ attempt: TrueRequest.Attempt)
    -> Bool
  {
    guard let connection = connections[attempt.connection],
      [.completed, .incomplete, .failed].contains(outcome)
    else { return false }
    guard !connection.isConfused else {
      // No event brought the end: its patience has.
      if case .nothing = atHand { connections[attempt.connection]?.isMarred = true }
      return false
    }
    let steering = connection.lanes[attempt.lane].steering
    guard let endsAt = steering.endsAt else {
      complain("\(describe(request.number)) ends in the middle of a response")
      return false
    }
    if !isDue(endsAt) { complain("\(describe(request.number)) ends while more of it is to come") }
    connections[attempt.connection]?.isMarred = true
    connections[attempt.connection]?.lanes[attempt.lane].isSpent = true
    connections[attempt.connection]?.lanes[attempt.lane].current = nil
    // Somebody was served, though no event says so now.
    warmUps[connection.upstream.rawValue].isWasted = false
    return true
  }

  /// What ended in this step has its last line, and what nobody wants is cancelled.
  func checkSteering() {
    for number in toEnd where violation == nil && requests[number]?.isOpen == true {
      let isConfused = requests[number]?.attempts.last
        .flatMap { connections[$0.connection]?.isConfused }
      if isConfused == false { complain("\(describe(number)) does not end with its response") }
    }
    toEnd = []
  }

  /// What nobody wants is cancelled where its server is to be asked.
  func checkCancelled(_ lane: SimulatedLane, of connection: SimulatedConnection) {
    guard scenario.upstreams[connection.upstream.rawValue].limits.cancel == .ask,
      let current = lane.current, let attempt = requests[current]?.attempts.last,
      let response = attempt.responseID, lane.steering.endsAt == nil
    else { return }
    if lane.steering.cancelAskedFor != response {
      complain("nobody wants \(describe(current)), yet its server is not asked to end it")
    }
  }

  /// Nothing is waited for beyond steer_timeout.
  func checkSuccessors(of number: ConnectionNumber) {
    guard let connection = connections[number], connection.isOpenToCore, !connection.isConfused
    else { return }
    for lane in connection.lanes {
      guard let endsAt = lane.steering.endsAt, let current = lane.current,
        requests[current]?.isOpen == true, now >= endsAt
      else { continue }
      complain("\(describe(current)) waits beyond steer_timeout for what does not come")
    }
  }
}
