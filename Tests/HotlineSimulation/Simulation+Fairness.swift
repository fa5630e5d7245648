import HotlineCore

/// Whom a request may be served before.
extension Simulation {
  /// Whom each request was served before. Those that got the connection that suits them best are
  /// not counted: they wait in no line but for that.
  func checkFairness(_ request: TrueRequest, _ on: ConnectionNumber) {
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

  /// What continues a response goes on there before all others; but while others wait for any
  /// connection, not twice in a row on its lane.
  ///
  /// What only prefers a connection may have come to wait in the line of all, and have its turn
  /// there, which nobody can tell from outside.
  func checkTurns(_ request: TrueRequest, _ on: SimulatedConnection, _ lane: Int) {
    let settings = scenario.upstreams[on.upstream.rawValue]
    // One that is too old takes nothing but what is tied to it.
    let isAwaited =
      request.attempts.isEmpty && isTied(request) && !on.isConfused && !on.mayBeRetiring
      && !isAged(on, settings.limits)
      && open.contains { number in
        guard let other = requests[number] else { return false }
        return other.spec.upstream == on.upstream && other.client != request.client
          && other.isPlain && isImpatient(other)
      }
    let count = isAwaited ? on.lanes[lane].tiedInARow + 1 : 0
    connections[on.number]?.lanes[lane].tiedInARow = count
    if count > 1 {
      complain("\(describe(request.number)) goes on where one like it was served while others wait")
    }
  }

  /// It no longer waits for the connection that suits it best: the timer was called after that.
  func isImpatient(_ request: TrueRequest) -> Bool {
    request.turnAt.map { timerCalledAt > $0 + request.patience } ?? false
  }

  /// The connections that served the request's kind last.
  func suitable(_ request: TrueRequest) -> Set<ConnectionNumber> {
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
}
