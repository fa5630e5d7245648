import HotlineCore

/// What is learned from messages, and what a last line must agree with.
extension Simulation {
  /// Notes what the core can know after a message, before it is told.
  func learn(_ message: Message, on number: ConnectionNumber) {
    learnEcho(message.facts, on: number)
    if let answer = message.facts.controlAnswer {
      return learn(answer, message.facts, on: number)
    }
    if message.refusesControl { return learnRefusedControl(message, on: number) }
    guard let connection = connections[number] else { return }
    if connection.lanes.count > 1, connection.echo == .present, message.facts.lane == .none,
      message.facts.saysConnectionIsOver
    {
      return learnRefusal(on: number)
    }
    guard let lane = connection.lane(of: message.facts),
      let current = connection.lanes[lane].current,
      let index = requests[current].map({ $0.attempts.count - 1 }), index >= 0,
      let attempt = requests[current]?.attempts[index], attempt.connection == number,
      attempt.isHandedOver
    else { return }
    guard isPlausible(message, for: current, attempt, on: number) else { return }
    let (facts, isWarmUp) = (message.facts, requests[current]?.isWarmUp == true)
    learnWhatItServes(message, isWarmUp: isWarmUp, on: number)
    if facts.kind != .notice { requests[current]?.attempts[index].isAnswered = true }
    if facts.isResponseEvent {
      requests[current]?.attempts[index].isBegun = true
      if let id = facts.responseID {
        requests[current]?.attempts[index].responseID = id
        learnResponse(id, on: number, lane)
      }
    }
    switch facts.kind {
    case .terminal(let outcome):
      requests[current]?.terminal = outcome
      if !isWarmUp, let request = requests[current], let attempt = request.attempts.last {
        remember(outcome, of: request, attempt)
      }
      learnTerminal(
        outcome, facts, on: number, lane, of: requests[current]?.attempts[index].responseID)
    case .error:
      mayHaveReturned = true
      requests[current]?.errorIsTold = true
      let isLaneRefused =
        attempt.isNamed && connection.echo == .unknown && facts.errorParam == "stream_id"
      let isUnwanted = requests[current]?.isOpen == false && !isWarmUp
      let isSecond = requests[current]?.attempts[..<index].contains(where: \.isHandedOver) == true
      requests[current]?.attempts[index].isRefused =
        (facts.saysConnectionIsOver || isLaneRefused) && !attempt.isBegun
      let isElsewhere = requests[current]?.attempts[index].isRefused == true && !isSecond
      if !isElsewhere, let request = requests[current] { forgetPrevious(of: request) }
      if isLaneRefused { laneless.insert(connection.upstream) }
      if facts.saysConnectionIsOver || attempt.isBegun || isUnwanted || (isLaneRefused && !isSecond)
      {
        connections[number]?.isMarred = true
        connections[number]?.lanes[lane].isSpent = true
      }
      connections[number]?.activeAt = now
      connections[number]?.lanes[lane].current = nil
    case .progress, .text, .notice, .unusable:
      break
    }
  }

  func giveUpLanes(_ upstream: UpstreamIndex) {
    guard laneless.contains(upstream), saidLaneless.insert(upstream).inserted else {
      return complain("lanes are given up for nothing, or twice")
    }
  }

  /// What a server showed of lanes has been said.
  func checkLanesGivenUp() {
    if saidLaneless != laneless { complain("that a server knows no lanes is not said") }
  }

  /// The first event of a connection's first response shows whether its server names lanes.
  private func learnEcho(_ facts: EventFacts, on number: ConnectionNumber) {
    guard facts.isResponseEvent, let connection = connections[number], connection.lanes.count > 1,
      connection.echo == .unknown, let current = connection.lanes[0].current,
      requests[current]?.attempts.last(where: { $0.connection == number })?.isHandedOver == true
    else { return }
    switch facts.lane {
    case .none:
      connections[number]?.echo = .absent
      laneless.insert(connection.upstream)
    case .lane(0):
      connections[number]?.echo = .present
      laneless.remove(connection.upstream)
      saidLaneless.remove(connection.upstream)
    case .lane, .unknown: break
    }
  }

  /// The server is done with a connection: what it has not begun it will not begin.
  private func learnRefusal(on number: ConnectionNumber) {
    guard let lanes = connections[number]?.lanes else { return }
    connections[number]?.isMarred = true
    mayHaveReturned = true
    for lane in lanes.indices {
      guard let current = lanes[lane].current, let request = requests[current],
        let attempt = request.attempts.last, attempt.connection == number, attempt.isHandedOver,
        !attempt.isBegun, request.isOpen,
        !request.attempts.dropLast().contains(where: \.isHandedOver)
      else { continue }
      requests[current]?.attempts[request.attempts.count - 1].isRefused = true
      connections[number]?.lanes[lane].isSpent = true
      connections[number]?.lanes[lane].current = nil
    }
  }

  /// Whether the message is of the running request, or cannot be told from one of it.
  private func isPlausible(
    _ message: Message, for current: RequestNumber, _ attempt: TrueRequest.Attempt,
    on number: ConnectionNumber
  ) -> Bool {
    if message.owner == current { return true }
    if message.owner == nil, !message.facts.isResponseEvent { return true }
    guard let lane = connections[number]?.lanes[attempt.lane] else { return false }
    let isKnown =
      if let id = message.facts.responseID {
        attempt.responseID.map { $0 != id && !lane.steering.mayBringAnother } ?? false
          || lane.pastResponses.contains(id)
      } else {
        message.facts.isResponseEvent
          && (lane.steering.endsAt != nil
            || (!attempt.isBegun && makesIdentified(number, attempt.lane)))
      }
    if isKnown, connections[number]?.isConfused == false { return false }
    connections[number]?.isConfused = true
    if let index = connections[number]?.upstream.rawValue { memories[index].isUncertain = true }
    return true
  }

  /// Responses on a lane are known to begin with their id.
  private func makesIdentified(_ number: ConnectionNumber, _ lane: Int) -> Bool {
    guard let connection = connections[number] else { return false }
    return scenario.servers[connection.upstream.rawValue].identifies
      && connection.lanes[lane].latestResponse != nil
  }

  // MARK: Last lines

  func finish(_ number: RequestNumber, _ error: HotlineError?, _ completion: Completion) {
    // It may have gone there in this very step.
    noteFailover(of: number, to: completion.upstream)
    guard let request = requests[number] else { return complain("a last line of no request") }
    guard request.isOpen else { return complain("\(describe(number)) has a second last line") }
    requests[number]?.isOpen = false
    open.remove(number)
    tally.finished += 1
    unwanted: if isRunning(request), let attempt = request.attempts.last {
      guard !checkSettled(request, completion.outcome, attempt) else { break unwanted }
      let index = request.spec.upstream.rawValue
      let patience = scenario.upstreams[index].limits.abandonedTimeout.nanoseconds
      connections[attempt.connection]?.lanes[attempt.lane].giveUpAt = now + patience
      unwanted.append(number)
    }
    if let error { checkSent(error, of: request) }
    checkOutcome(completion.outcome, error, of: request)
    checkCompletion(completion, of: request)
    releaseLine(of: number)
    if let on = request.attempts.last?.connection { release(on) }
    leaveConversation(number)
    dials[request.spec.upstream.rawValue].lastRequestAt = now
    guard let client = clients[request.client] else { return }
    clients[client.number]?.open[request.id] = nil
    if completion.outcome == .completed, let id = completion.responseID {
      clients[client.number]?.responses.append(id)
      if client.responses.count > 5 { clients[client.number]?.responses.removeFirst() }
    }
    if second.chance(scenario.client.repeatsAtOnce) {
      agenda.plan(.clientRepeats(client.number, request.id), at: now)
    }
  }

  private func checkSent(_ error: HotlineError, of request: TrueRequest) {
    let name = describe(request.number)
    switch error.sent {
    case .no:
      if request.wasHandedOver { complain("\(name) was handed over, yet sent is no") }
    case .unknown:
      if !request.wasHandedOver { complain("\(name) was never handed over, yet sent is unknown") }
    case .yes:
      if !request.attempts.contains(where: \.isAnswered) {
        complain("no event of \(name) came, yet sent is yes")
      }
    }
    if let last = request.attempts.last, last.isBegun, error.sent != .yes,
      connections[last.connection]?.isConfused == false
    {
      complain("an event of \(name) came, yet sent is \(error.sent.rawValue)")
    }
  }

  private func checkOutcome(
    _ outcome: Outcome, _ error: HotlineError?, of request: TrueRequest
  ) {
    let name = describe(request.number)
    switch outcome {
    case .completed, .incomplete, .failed:
      if error != nil || request.terminal != outcome {
        complain("\(name) is said to be \(outcome.rawValue), which its server did not say")
      }
    case .cancelled:
      let isByAnother = error?.code == .cancelled && request.isCancelledByAnother
      let isOwn = error == nil && (request.cancelIsAsked || request.terminal == .cancelled)
      if !isByAnother && !isOwn {
        complain("\(name) is cancelled, though nobody asked for it")
      }
    case .error:
      guard let error else {
        if !request.errorIsTold { complain("\(name) ends in an error that nobody reported") }
        return
      }
      checkReason(error, of: request)
    }
  }

  private func checkReason(_ error: HotlineError, of request: TrueRequest) {
    let name = describe(request.number)
    let isJust: Bool
    switch error.code {
    case .timeout: isJust = isDue(request.deadline)
    case .queueTimeout:
      isJust =
        request.attempts.isEmpty
        ? isDue(request.arrivedAt + request.waitTimeout)
        : request.waitsAgainSince != nil && isDue(request.waitsAgainUntil)
    case .slowReader:
      isJust = isTooSlow(request)
    case .shuttingDown:
      isJust = isTerminating && (now >= terminationEndsAt || scenario.terminatesTwice)
    case .connectionLost, .upstreamProtocol: isJust = isLoss(error, of: request)
    case .conversationLost: isJust = isLost(request)
    case .upstreamAuth, .upstreamRejected, .upstreamUnavailable:
      isJust = isHopeless(error, of: request)
      checkMayFail(request)
    default: isJust = false
    }
    if !isJust { complain("\(name) ends with \(error.code.rawValue) without a reason") }
  }

  /// The timer has come, no later than it does here.
  func isDue(_ instant: Int64) -> Bool {
    now >= instant && (now <= instant + scenario.timerLateMax || leaptAt >= instant)
  }

  private func checkCompletion(_ completion: Completion, of request: TrueRequest) {
    let name = describe(request.number)
    if completion.upstream != request.spec.upstream
      || completion.connection != request.attempts.last?.connection
      || completion.events != request.delivered
      || completion.total.nanoseconds != now - request.arrivedAt
    {
      complain("the last line of \(name) does not say what happened: \(completion)")
    }
    if completion.isResent != request.attempts.dropLast().contains(where: \.isHandedOver) {
      complain("the last line of \(name) is wrong about resent")
    }
    if (completion.isReused == nil) != request.attempts.isEmpty {
      complain("the last line of \(name) is wrong about reused")
    }
    if completion.outcome == .completed, let connection = request.attempts.last?.connection,
      connections[connection]?.isConfused == false,
      completion.responseID != request.attempts.last?.responseID
    {
      complain("the last line of \(name) names another response")
    }
  }
}
