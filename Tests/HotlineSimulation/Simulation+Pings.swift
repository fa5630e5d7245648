import HotlineCore

/// A quiet connection is asked whether it lives, and a dead one does not stay: both in time.
///
/// When follows from what the core was told and from what it sent.
extension Simulation {
  /// Something came from the server, or the connection opened.
  func noteHeard(_ number: ConnectionNumber) {
    guard let connection = connections[number] else { return }
    let limits = scenario.upstreams[connection.upstream.rawValue].limits
    connections[number]?.heardAt = now
    connections[number]?.pingDueAt = now + limits.pingInterval.nanoseconds
    connections[number]?.givenUp = nil
  }

  func ping(_ number: ConnectionNumber, _ id: UInt64) {
    guard let connection = connections[number], connection.isOpenToCore else {
      return complain("a ping on C\(number.rawValue), which is not open")
    }
    let isInTurn = now >= connection.pingDueAt && connection.givenUp == nil
    if !isInTurn { pingedOutOfTurn = number }
    noteAsked(connection, isInTurn: isInTurn)
    agenda.plan(.pongArrives(number, id: id), at: now + random.time(1000, .milliseconds(150)))
  }

  private func noteAsked(_ connection: SimulatedConnection, isInTurn: Bool) {
    let limits = scenario.upstreams[connection.upstream.rawValue].limits
    let usual = limits.pongTimeout.nanoseconds
    let short = min(usual, limits.probeTimeout.nanoseconds)
    // Whether the core still reads what nobody wants is known a little later.
    let isSure = !connection.isConfused && !connection.lanes.contains(where: \.mayBeSpent)
    let least = isSure && connection.isBusy ? usual : short
    // A ping in its turn has the usual time, unless there was another reason for it as well.
    let most = isSure && !connection.isBusy && !isInTurn ? short : usual
    let before = connection.givenUp
    connections[connection.number]?.givenUp = (
      min(before?.from ?? .max, now + least), min(before?.until ?? .max, now + most)
    )
  }

  func checkProbes(of open: Set<ConnectionNumber>, in actions: [Action]) {
    let handled = actions.compactMap { action in
      switch action {
      case .sendPing(let number, _), .closeConnection(let number, _): number
      default: nil
      }
    }
    if let number = open.subtracting(handled).min() {
      complain("no probe of C\(number.rawValue) after a change of the network")
    }
  }

  /// After every step: nothing that was due is left undone.
  func checkPings() {
    // What came back from a lost connection asks the others.
    if let number = pingedOutOfTurn, !isChangingNetwork, !mayHaveReturned, returned.isEmpty {
      complain("C\(number.rawValue) is pinged out of turn")
    }
    pingedOutOfTurn = nil
    for number in present {
      guard let connection = connections[number], connection.isOpenToCore else { continue }
      let dueAt = connection.givenUp?.until ?? connection.pingDueAt
      guard now > max(dueAt, leaptAt) + scenario.timerLateMax else { continue }
      let fault = connection.givenUp == nil ? "is not pinged in time" : "is kept without a pong"
      return complain("C\(number.rawValue) \(fault)")
    }
  }

  /// A connection is given up for a missing pong.
  func checkGivenUp(_ connection: SimulatedConnection) {
    if !connection.isSilent, !connection.hasSlept {
      complain("a live connection is closed for a missing pong")
    }
    if connection.givenUp.map({ now < $0.from }) ?? true {
      complain("C\(connection.number.rawValue) is given up before its pong is due")
    }
  }
}
