import HotlineCore

/// What may be sent where, and in which order.
extension Simulation {
  /// It was sent and neither ended nor lost its connection.
  func isRunning(_ request: TrueRequest) -> Bool {
    guard let attempt = request.attempts.last, let connection = connections[attempt.connection]
    else { return false }
    return connection.isOpenToCore && connection.lanes[attempt.lane].current == request.number
  }

  func checkSend(_ number: RequestNumber, _ on: ConnectionNumber, _ name: Int?) {
    guard let request = requests[number], request.isOpen else {
      return complain("\(describe(number)) is sent but not open")
    }
    guard let connection = connections[on], connection.isOpenToCore else {
      return complain("\(describe(number)) is sent on C\(on.rawValue), which is not open")
    }
    guard connection.upstream == request.spec.upstream else {
      return complain("\(describe(number)) is sent to another upstream")
    }
    checkLane(name, of: connection)
    guard violation == nil else { return }
    if isRunning(request) { return complain("\(describe(number)) is sent while it runs") }
    checkResend(request)
    checkOrder(request)
    checkHeld(request)
    checkOutdated(request, connection)
    if let previous = request.spec.previousResponseID, isTied(request),
      makers[previous] != Maker(connection: on, lane: name ?? 0), !connection.isConfused
    {
      return complain("a continuation is sent on another lane than its maker's")
    }
    if request.spec.previousResponseID != nil, !request.isRemembered,
      scenario.upstreams[connection.upstream.rawValue].continuation == .connection,
      !memories[connection.upstream.rawValue].isUncertain
    {
      return complain("a continuation is sent of a response that should have been forgotten")
    }
    checkChoice(request, connection, name ?? 0)
    checkLaneKept(request, connection, name ?? 0)
    checkFairness(request, on)
    checkTurns(request, connection, name ?? 0)
    checkHeard(request, connection)
  }

  func checkLane(_ name: Int?, of connection: SimulatedConnection) {
    let lane = name ?? 0
    guard connection.lanes.indices.contains(lane) else {
      return complain("lane \(lane) of a connection of \(connection.lanes.count)")
    }
    if name == nil, connection.echo == .present {
      return complain("sent without a lane's name on a connection that has several")
    }
    if name != nil, connection.lanes.count == 1 || connection.echo == .absent {
      return complain("sent with a lane's name on a connection that has none")
    }
    if name != nil, connection.echo == .unknown, laneless.contains(connection.upstream) {
      return complain("a server that has shown that it knows no lanes is asked for them again")
    }
    if name == nil, connection.lanes.count > 1, connection.echo == .unknown,
      !laneless.contains(connection.upstream)
    {
      return complain("sent without a lane's name, though nobody refused lanes")
    }
    guard !connection.isConfused else { return }
    if connection.lanes[lane].current != nil { return complain("two responses on one lane") }
    if connection.lanes[lane].isSpent {
      return complain("sent on a lane of which more may come")
    }
    if connection.isBusy, connection.echo != .present {
      complain("two responses on a connection that has echoed no lane")
    }
  }

  /// What was made with credentials that are no longer in force takes nothing new.
  private func checkOutdated(_ request: TrueRequest, _ connection: SimulatedConnection) {
    guard let outdatedAt = connection.outdatedAt else { return }
    let continues = request.spec.previousResponseID.flatMap { makers[$0]?.connection }
    if request.arrivedIn > outdatedAt || continues != connection.number {
      complain("\(describe(request.number)) is sent on a connection of before the reload")
    }
  }

  /// Nothing is sent twice without leave.
  private func checkResend(_ request: TrueRequest) {
    let earlier = request.attempts.filter(\.isHandedOver)
    guard let last = request.attempts.last else { return }
    if connections[last.connection]?.isOpenToCore == true, !last.isRefused {
      return complain("sent again while its first connection is open")
    }
    if connections[last.connection]?.finalFor.contains(request.number) == true {
      return complain("sent again, though it would be lost again")
    }
    guard last.isHandedOver else { return }
    tally.resent += 1
    if earlier.count > 1 { return complain("sent a third time") }
    if connections[last.connection]?.isConfused == true { return }
    let hasLeave = request.spec.resendsUnanswered && !last.isAnswered
    let isRefused = last.isRefused && !last.isBegun
    if !hasLeave, !isRefused { complain("sent again without leave") }
  }

  private func checkOrder(_ request: TrueRequest) {
    guard let key = conversationKey(of: request.number) else { return }
    if let first = conversationTurns[key]?.first, first != request.number {
      complain("\(describe(request.number)) is sent before \(describe(first)) of its conversation")
    }
  }

  func checkForward(
    _ number: RequestNumber, _ on: ConnectionNumber, _ response: ByteString
  ) {
    guard let request = requests[number], request.isOpen, isRunning(request),
      let attempt = request.attempts.last, attempt.connection == on
    else { return complain("a control message is forwarded for a request that does not run") }
    if !response.isEmpty, let connection = connections[on], !connection.isConfused,
      attempt.responseID != response
    {
      complain("a control message is forwarded with another's response id")
    }
  }
}
