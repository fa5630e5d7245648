import HotlineCore

/// Whether a line was refused for a good reason; that none was accepted without being allowed to,
/// `accept` sees.
extension Simulation {
  func refuse(_ client: ClientNumber, _ error: HotlineError) {
    guard case .line(client, let answers) = atHand, answers == 0 else {
      return complain("a line is answered twice, or one that nobody wrote")
    }
    atHand = .line(client, answers: 1)
    tally.refused += 1
    if !isJust(error.code, toward: client) {
      return complain(
        "client \(client.rawValue) is refused with \(error.code.rawValue) for nothing")
    }
    if case .connection = asked { clients[client]?.isAccepted = false }
    if error.sent != .no { complain("a refused line counts as sent") }
  }

  private func isJust(_ code: HotlineError.Code, toward number: ClientNumber) -> Bool {
    guard let client = clients[number] else { return false }
    switch (asked, code) {
    case (.connection, .notAllowed): return client.isStranger && !client.isAllowed
    case (.drain, .notAllowed): return client.isStranger
    case (.connection, .tooManyClients):
      let others = clients.values.count { $0.isAccepted && $0.number != number }
      return others >= scenario.limits.clientsMax
    case (.request(let spec), .duplicateRequestID):
      return spec.id.map { client.open[$0] != nil } ?? false
    case (.request, .tooManyRequests):
      return client.open.count >= scenario.limits.requestsPerClientMax
    case (.request, .shuttingDown): return isTerminating || isDraining
    case (.request(let spec), .queueFull): return mayBeFull(for: spec, of: client)
    case (.cancel(let id), .unknownRequestID), (.control(_, let id, _), .unknownRequestID):
      return client.open[id] == nil
    case (.control(_, let id, let response), .invalidRequest):
      return client.open[id].map { !mayBeSteered($0, response) } ?? false
    default: return false
    }
  }

  /// A control message for it could not but be refused.
  private func mayBeSteered(_ number: RequestNumber, _ response: ByteString?) -> Bool {
    guard let request = requests[number], isRunning(request), let attempt = request.attempts.last,
      connections[attempt.connection]?.isConfused == false,
      let current = attempt.responseID
    else { return false }
    return response == nil || response == current
  }

  /// A request that need not wait is taken whatever waits; so is each while there is room.
  private func mayBeFull(for spec: NewRequest, of client: SimulatedClient) -> Bool {
    if memoryAtHand > scenario.limits.memoryBytesMax { return true }
    let upstreams = scenario.upstreams.indices.map { waitingCounts(at: UpstreamIndex($0)) }
    guard upstreams.reduce(0, { $0 + $1.upperBound }) >= scenario.limits.queueRequestsMax else {
      return false
    }
    if isHeld(spec.upstream.rawValue) { return true }
    // Nothing ties it to one connection.
    guard spec.conversation == nil, spec.previousResponseID == nil, spec.promptCacheKey == nil,
      servedClients[client.number] == nil, upstreams[spec.upstream.rawValue].upperBound == 0
    else { return true }
    // What is old may be too old.
    return !freeLanes(of: spec.upstream).contains(where: \.isYoung)
  }

  /// How many requests wait at an upstream. Of a connection on which nobody can tell what belongs
  /// to whom, nobody can tell what runs there either.
  func waitingCounts(at upstream: UpstreamIndex) -> ClosedRange<Int> {
    var (least, most) = (0, 0)
    for number in open {
      guard let request = requests[number], request.spec.upstream == upstream else { continue }
      let isUncertain =
        request.attempts.last.flatMap { connections[$0.connection] }
        .map { $0.isConfused && $0.isOpenToCore } ?? false
      if isUncertain {
        most += 1
      } else if !isRunning(request) {
        least += 1
        most += 1
      }
    }
    return least...most
  }
}

/// What the line at hand asks for.
enum Asked {
  case nothing, connection, drain
  case request(NewRequest)
  case cancel(RequestID)
  case control(ControlMessage, RequestID, ByteString?)
}
