import HotlineCore

/// What happens outside of the core, one thing after the other.
extension Simulation {
  func handle(_ occurrence: Occurrence) {
    switch occurrence {
    case .clientConnects(let client): connect(client)
    case .clientActs(let client): act(client)
    case .clientGoesOn(let client): resume(client)
    case .clientIsClosed(let client): clientIsClosed(client)
    case .dialEnds(let connection): dialEnds(connection)
    case .requestIsHandedOver(let request, let connection, let attempt):
      handOver(request, to: connection, attempt: attempt)
    case .messageArrives(let connection, let message): arrive(message, on: connection)
    case .pongArrives(let connection, let id): pong(id, on: connection)
    case .connectionEnds(let connection, let failure): end(connection, failure)
    case .connectionFallsSilent(let connection): fallSilent(connection)
    case .outageBegins(let upstream): beginOutage(of: upstream)
    case .timerComesEarly:
      callTimer("timer, early")
      tally.emptyTimerCalls -= 1
      tally.timerCallsAtThisInstant -= 1
    case .terminationIsRequested: terminate()
    case .cancelArrives(let connection, let request, let lane, let response):
      cancelArrives(on: connection, for: request, lane: lane, response)
    case .piecesArrive(let connection): hearPieces(on: connection)
    case .holdEnds(let connection, let since): holdEnds(of: connection, since: since)
    case .heldIsRead(let connection): readHeld(of: connection)
    case .clientRegrets(let request): regret(request)
    case .otherCancels(let request): cancelOfAnother(request)
    case .clientFloods(let client, let count): flood(by: client, count)
    case .clientRepeats(let client, let id): repeatAtOnce(id, by: client)
    case .networkChanges: changeNetwork()
    case .machineSleeps: sleep()
    case .reload: askForReload()
    case .configurationIsRead(let version): configurationIsRead(version)
    case .drainIsRequested: drain()
    case .peaceBegins: phase = .peaceful
    case .requestsAreOver: checkRequestsAreOver()
    case .poolIsWarm:
      checkPoolIsWarm()
      quietTally = tally
    case .quietEnds: endRun()
    }
  }

  func fallSilent(_ number: ConnectionNumber) {
    if connections[number]?.isSilent == false { connections[number]?.silentAt = now }
  }

  private func terminate() {
    if !isTerminating {
      terminationEndsAt = now + scenario.limits.shutdownTimeout.nanoseconds
    }
    isTerminating = true
    refuseReloads()
    let instant = instant
    feed("termination requested") { $0.terminationRequested(at: instant) }
  }

  private func endRun() {
    checkPoolIsWarm()
    checkQuiet()
    guard violation == nil else { return }
    terminate()
    if violation == nil, !isStopped { complain("nothing is open, yet the drain does not end") }
    phase = .over
  }
}
