import HotlineCore
import TestSupport

/// What is learned from messages, and what a last line must agree with.
extension Simulation {
  /// Notes what the core can know after a message, before it is told.
  func learn(_ message: Message, on number: ConnectionNumber) {
    guard let connection = connections[number], let current = connection.current,
      let index = requests[current].map({ $0.attempts.count - 1 }), index >= 0,
      let attempt = requests[current]?.attempts[index], attempt.connection == number,
      attempt.isHandedOver
    else { return }
    guard isPlausible(message, for: current, attempt, on: number) else { return }
    let facts = message.facts
    if facts.kind != .notice { requests[current]?.attempts[index].isAnswered = true }
    if facts.isResponseEvent {
      requests[current]?.attempts[index].isBegun = true
      if let id = facts.responseID {
        requests[current]?.attempts[index].responseID = id
      }
    }
    switch facts.kind {
    case .terminal(let outcome):
      requests[current]?.terminal = outcome
      connections[number]?.latestResponse = requests[current]?.attempts[index].responseID
      connections[number]?.current = nil
      connections[number]?.activeAt = now
      connections[number]?.steered = nil
    case .error:
      requests[current]?.errorIsTold = true
      let code = facts.errorCode
      let isRefusal =
        code == "websocket_connection_limit_reached" || code == "session_expired"
        || code == "beta_api_shape_disabled"
      requests[current]?.attempts[index].isRefused = isRefusal && !attempt.isBegun
      connections[number]?.current = nil
    case .progress, .text, .notice, .unusable:
      break
    }
  }

  /// Whether the message is of the running request, or cannot be told from one of it.
  private func isPlausible(
    _ message: Message, for current: RequestNumber, _ attempt: TrueRequest.Attempt,
    on number: ConnectionNumber
  ) -> Bool {
    if message.owner == current { return true }
    if message.owner == nil, !message.facts.isResponseEvent { return true }
    let isSteered = connections[number]?.steered == current
    let isKnown =
      if let id = message.facts.responseID {
        attempt.responseID.map { $0 != id && !isSteered } ?? (makers[id] != nil)
      } else {
        !attempt.isBegun && makesIdentified(number)
      }
    if isKnown, connections[number]?.isConfused == false { return false }
    connections[number]?.isConfused = true
    return true
  }

  /// Responses on a connection are known to begin with their id.
  private func makesIdentified(_ number: ConnectionNumber) -> Bool {
    guard let connection = connections[number] else { return false }
    return scenario.servers[connection.upstream.rawValue].identifies
      && connection.latestResponse != nil
  }

  // MARK: Last lines

  func finish(_ number: RequestNumber, _ error: HotlineError?, _ completion: Completion) {
    guard let request = requests[number] else { return complain("a last line of no request") }
    guard request.isOpen else { return complain("\(describe(number)) has a second last line") }
    requests[number]?.isOpen = false
    open.remove(number)
    tally.finished += 1
    if let error { checkSent(error, of: request) }
    checkOutcome(completion.outcome, error, of: request)
    checkCompletion(completion, of: request)
    if let key = conversationKey(of: number) {
      conversationTurns[key]?.removeAll { $0 == number }
    }
    if completion.outcome == .error || completion.outcome == .failed,
      let previous = request.spec.previousResponseID
    {
      evicted.insert(previous)
    }
    dials[request.spec.upstream.rawValue].lastRequestAt = now
    guard let client = clients[request.client] else { return }
    clients[client.number]?.open[request.id] = nil
    if completion.outcome == .completed, let id = completion.responseID {
      clients[client.number]?.responses.append(id)
      if client.responses.count > 5 { clients[client.number]?.responses.removeFirst() }
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
      if error != nil || !(request.cancelIsAsked || request.terminal == .cancelled) {
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
    case .timeout: isJust = now >= request.deadline
    case .queueTimeout:
      isJust = now >= request.arrivedAt + request.waitTimeout && !isRunning(request)
    case .slowReader:
      isJust = clients[request.client]?.unreadBytes ?? 0 >= scenario.limits.bufferBytesMax
    case .shuttingDown:
      let end = terminatedAt + scenario.limits.shutdownTimeout.nanoseconds
      isJust = isTerminating && (now >= end || scenario.terminatesTwice)
    case .connectionLost, .upstreamProtocol:
      isJust = !request.attempts.isEmpty
    case .conversationLost: isJust = isLost(request)
    case .upstreamAuth, .upstreamRejected, .upstreamUnavailable:
      isJust = !present.contains { number in
        guard let connection = connections[number] else { return false }
        return connection.upstream == request.spec.upstream && connection.isOpenToCore
      }
    default: isJust = false
    }
    if !isJust { complain("\(name) ends with \(error.code.rawValue) without a reason") }
  }

  /// Whether what the request continues is gone.
  private func isLost(_ request: TrueRequest) -> Bool {
    guard let previous = request.spec.previousResponseID,
      scenario.upstreams[request.spec.upstream.rawValue].continuation == .connection
    else { return false }
    guard request.attempts.isEmpty, scenario.limits.affinityEntriesMax > 100,
      !evicted.contains(previous), let maker = makers[previous],
      let connection = connections[maker], connection.upstream == request.spec.upstream
    else { return true }
    return !connection.isOpenToCore || connection.isConfused || connection.isSilent
      || !requests.values.contains { made in
        made.uid == request.uid && made.terminal == .completed
          && made.attempts.last?.responseID == previous
      }
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
