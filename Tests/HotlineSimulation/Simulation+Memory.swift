import HotlineCore

/// The responses whose makers the core remembers, of one upstream: the latest so many.
struct ResponseMemory {
  struct Entry: Hashable {
    var uid: UInt32
    var response: ByteString
  }

  private var entries: [Entry] = []
  /// Something came of which nobody can tell whose it was.
  var isUncertain = false

  func contains(_ entry: Entry) -> Bool { entries.contains(entry) }

  mutating func remember(_ entry: Entry, countMax: Int) {
    forget(entry)
    entries.append(entry)
    limit(to: countMax)
  }

  mutating func forget(_ entry: Entry) { entries.removeAll { $0 == entry } }

  mutating func limit(to countMax: Int) {
    entries.removeFirst(max(0, entries.count - countMax))
  }
}

extension Simulation {
  /// A response that was wanted has ended.
  func remember(_ outcome: Outcome, of request: TrueRequest, _ attempt: TrueRequest.Attempt) {
    guard request.isOpen else { return }
    let index = request.spec.upstream.rawValue
    switch outcome {
    case .completed, .incomplete, .cancelled:
      guard let response = attempt.responseID else { return }
      memories[index].remember(
        ResponseMemory.Entry(uid: request.uid, response: response),
        countMax: scenario.limits.affinityEntriesMax)
      if !isStored(request) {
        connections[attempt.connection]?.lanes[attempt.lane].chainAt = now
      }
    case .failed, .error: forgetPrevious(of: request)
    }
  }

  /// A continuation that ended in an error evicts what it continued.
  func forgetPrevious(of request: TrueRequest) {
    guard request.isOpen, let previous = request.spec.previousResponseID else { return }
    let entry = ResponseMemory.Entry(uid: request.uid, response: previous)
    memories[request.spec.upstream.rawValue].forget(entry)
  }

  func isRemembered(_ request: TrueRequest) -> Bool {
    guard let previous = request.spec.previousResponseID else { return false }
    return memories[request.spec.upstream.rawValue]
      .contains(ResponseMemory.Entry(uid: request.uid, response: previous))
  }

  /// The server keeps its response beyond the lane.
  private func isStored(_ request: TrueRequest) -> Bool {
    let settings = scenario.upstreams[request.spec.upstream.rawValue]
    return settings.continuation == .anywhere
      && (settings.forcesStoreFalse || !request.spec.isUnstored)
  }

  func madeResponse(
    _ id: ByteString, of request: RequestNumber, on connection: ConnectionNumber, lane: Int
  ) {
    makers[id] = Maker(connection: connection, lane: lane)
    if let request = requests[request], !isStored(request) { unstored.insert(id) }
  }

  /// Nothing but the lane that made what it continues can serve it, and the core knows that.
  func isTied(_ request: TrueRequest) -> Bool {
    guard let previous = request.spec.previousResponseID else { return false }
    let index = request.spec.upstream.rawValue
    if scenario.upstreams[index].continuation == .connection { return true }
    return unstored.contains(previous) && request.isRemembered && !memories[index].isUncertain
  }

  /// The same, if the core may know that.
  func mayBeTied(_ request: TrueRequest) -> Bool {
    guard let previous = request.spec.previousResponseID else { return false }
    let index = request.spec.upstream.rawValue
    if isTied(request) { return true }
    // It may have been taken for another's.
    return memories[index].isUncertain
      && (unstored.contains(previous) || scenario.client.unstored > 0)
  }

  /// Whether what the request continues is gone: the lane that made it, or the memory of that.
  func isLost(_ request: TrueRequest) -> Bool {
    guard let previous = request.spec.previousResponseID, mayBeTied(request) else { return false }
    if let last = request.attempts.last {
      guard let connection = connections[last.connection], connection.isOpenToCore else {
        return true
      }
      // Or it is about to be closed.
      return last.isRefused || connection.isConfused || isToBeClosed(connection)
    }
    let memory = memories[request.spec.upstream.rawValue]
    guard request.isRemembered || memory.isUncertain, let maker = makers[previous],
      let connection = connections[maker.connection], connection.upstream == request.spec.upstream
    else { return true }
    let lane = connection.lanes[maker.lane]
    return !connection.isOpenToCore || connection.isConfused || connection.mayBeRetiring
      || lane.isSpent || lane.mayBeSpent || memory.isUncertain
  }
}
