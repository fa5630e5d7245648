import HotlineCore

/// What was never sent may go to another upstream, in its order, while its own is down.
extension Simulation {
  /// Before what was decided is performed: the core is asked where each request is.
  func noteFailovers() {
    guard scenario.client.alternatives > 0 else { return }
    var moved: [(order: (from: Int, turn: Int), request: RequestNumber, to: UpstreamIndex)] = []
    for number in open.sorted() where requests[number]?.spec.alternatives.isEmpty == false {
      guard let from = requests[number]?.spec.upstream, let to = broker.upstream(of: number),
        to != from
      else { continue }
      let key = conversationKey(of: number)
      let turn = key.flatMap { conversationTurns[$0]?.firstIndex(of: number) } ?? 0
      moved.append(((from.rawValue, turn), number, to))
    }
    // The requests of a conversation in their order there, which need not be that of their numbers.
    moved.sort { $0.order < $1.order }
    for (_, number, to) in moved { noteFailover(of: number, to: to) }
  }

  func noteFailover(of number: RequestNumber, to upstream: UpstreamIndex) {
    guard let request = requests[number], request.spec.upstream != upstream else { return }
    let name = describe(number)
    if isTraced { note("    \(name) goes to upstream \(upstream.rawValue)") }
    tally.failedOver += 1
    guard let place = request.spec.alternatives.firstIndex(of: upstream) else {
      return complain("\(name) goes to an upstream to which it may not go")
    }
    if request.wasHandedOver { return complain("\(name) goes elsewhere though it was sent") }
    if request.spec.previousResponseID != nil {
      return complain("\(name) goes where nobody knows what it continues")
    }
    if let better = request.spec.alternatives[..<place].first(where: { isSurelyUp($0.rawValue) }) {
      return complain("\(name) goes past upstream \(better.rawValue), which is well")
    }
    movedInStep.append((number, request.spec.upstream))
    leaveConversation(number)
    requests[number]?.spec.upstream = upstream
    requests[number]?.spec.alternatives.removeFirst(place + 1)
    requests[number]?.overtakers = [:]
    requests[number]?.turnAt = nil
    dials[upstream.rawValue].lastRequestAt = now
    let key = conversationKey(of: number)
    if let key { conversationTurns[key, default: []].append(number) }
    if key.flatMap({ conversationTurns[$0]?.first }) ?? number == number { turnComes(of: number) }
  }

  /// It went to another upstream since it was sent, where nothing is known of its loss.
  func hasMoved(_ request: TrueRequest) -> Bool {
    let last = request.attempts.last.flatMap { connections[$0.connection] }
    return last.map { $0.upstream != request.spec.upstream } ?? false
  }

  /// Its conversation goes on without it.
  func leaveConversation(_ number: RequestNumber) {
    guard let key = conversationKey(of: number) else { return }
    conversationTurns[key]?.removeAll { $0 == number }
    if let next = conversationTurns[key]?.first, requests[next]?.turnAt == nil {
      turnComes(of: next)
    }
  }

  /// Whatever the core counts as well counts this too.
  private func isSurelyUp(_ index: Int) -> Bool {
    guard !scenario.isRemoved[index] else { return false }
    return present.contains { number in
      guard let connection = connections[number] else { return false }
      return connection.upstream.rawValue == index && connection.isOpenToCore
        && connection.openedAt < now
    }
  }

  /// After the step, when what it closes is closed.
  func checkFailovers() {
    defer { movedInStep = [] }
    for (number, from) in movedInStep {
      let index = from.rawValue
      if !scenario.isRemoved[index], isSurelyUp(index) {
        return complain("\(describe(number)) leaves upstream \(index), which is well")
      }
      if !scenario.isRemoved[index], dials[index].troubledAt == nil {
        return complain("\(describe(number)) leaves upstream \(index), where nothing has failed")
      }
      guard let to = requests[number]?.spec.upstream.rawValue, requests[number]?.isOpen == true
      else { continue }
      if scenario.isRemoved[to] || (dials[to].isSurelyOpen && !hasOpen(to)) {
        return complain("\(describe(number)) goes to upstream \(to), which is down")
      }
    }
    checkStays()
  }

  /// Nothing waits where nothing is open and a dial has failed, if another upstream is well.
  private func checkStays() {
    guard scenario.client.alternatives > 0, !isTerminating, !isDraining else { return }
    for index in dials.indices where dials[index].lastFailureAt != nil && !hasOpen(index) {
      guard scenario.upstreams[index].limits.connectionsWarm > 0 else { continue }
      for number in open {
        guard let request = requests[number], request.spec.upstream.rawValue == index,
          request.attempts.isEmpty, request.turnAt != nil
        else { continue }
        guard let other = betterUpstream(for: request) else { continue }
        return complain(
          "\(describe(number)) waits at upstream \(index), though \(other.rawValue) is well")
      }
    }
  }

  private func betterUpstream(for request: TrueRequest) -> UpstreamIndex? {
    guard request.spec.previousResponseID == nil else { return nil }
    return request.spec.alternatives.first { isSurelyUp($0.rawValue) }
  }

  /// What could have gone elsewhere does not fail where it is.
  func checkMayFail(_ request: TrueRequest) {
    guard !request.wasHandedOver, !isTerminating, let other = betterUpstream(for: request) else {
      return
    }
    // Who is behind another of its conversation goes where that one is.
    if let key = conversationKey(of: request.number),
      conversationTurns[key]?.first != request.number
    {
      return
    }
    complain("\(describe(request.number)) fails though upstream \(other.rawValue) is well")
  }
}
