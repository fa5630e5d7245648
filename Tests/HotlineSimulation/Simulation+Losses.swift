import HotlineCore

/// What the end of a connection means for what runs there.
extension Simulation {
  /// Notes for which requests the end of a connection is final: they would be lost again.
  ///
  /// 1009 blames one message, of which no response has begun; where it may be one of several, none
  /// is blamed. The others blame the way in which the daemon speaks.
  func noteEnding(of connection: SimulatedConnection, _ failure: ConnectionFailure) {
    guard connection.state == .open else { return }
    connections[connection.number]?.ending = failure
    if failure.kind != .protocolViolation { connections[connection.number]?.lostAt = now }
    let unanswered = connection.lanes.compactMap(\.current).filter { number in
      requests[number]?.attempts.last { $0.connection == connection.number }?.isBegun == false
    }
    switch failure.closeCode {
    case 1009 where unanswered.count == 1:
      connections[connection.number]?.finalFor = Set(unanswered)
    case 1002, 1003, 1007, 1008, 1010:
      connections[connection.number]?.finalFor = Set(
        unanswered.filter {
          requests[$0]?.attempts.last { $0.connection == connection.number }?.isHandedOver == true
        })
    default: break
    }
  }

  /// What killed one connection may have killed others unnoticed: what was lost goes only where the
  /// server has been heard since.
  func checkHeard(_ request: TrueRequest, _ on: SimulatedConnection) {
    guard let last = request.attempts.last, let lostAt = connections[last.connection]?.lostAt,
      !hasMoved(request), max(on.openedAt, on.heardAt) < lostAt
    else { return }
    complain("\(describe(request.number)) is sent again where nothing was heard since its loss")
  }

  /// Something is at hand for which a connection may be closed whatever runs there.
  func isToBeClosed(_ connection: SimulatedConnection) -> Bool {
    if case .message(connection.number, _) = atHand { return true }
    return connection.isSilent || connection.hasSlept
  }

  /// A request fails with its connection where it may not be sent again, and says why.
  func isLoss(_ error: HotlineError, of request: TrueRequest) -> Bool {
    guard let last = request.attempts.last, let connection = connections[last.connection] else {
      return false
    }
    if connection.isConfused { return true }
    // Whether the core still read a response that nobody wants decides who may be to blame.
    if connection.ending?.closeCode == 1009, connection.lanes.contains(where: \.mayBeSpent) {
      return true
    }
    if connection.isOpenToCore, !isToBeClosed(connection) { return false }
    let isFinal = connection.finalFor.contains(request.number)
    guard error.isRetryable != isFinal else { return false }
    if let ending = connection.ending, error.closeCode != ending.closeCode { return false }
    if isFinal { return true }
    let isSecond = request.attempts.dropLast().contains(where: \.isHandedOver)
    let mayAsk = request.spec.resendsUnanswered && !last.isAnswered && !isSecond
    return last.isHandedOver && !mayAsk
  }
}
