import HotlineCore

/// Reloads that are asked for by signals and clients while the configuration is being read.
///
/// As in the daemon the core's `ReloadQueue` says when to read and whom to answer; that everybody
/// is answered once, by a reading that began after they asked, is checked here.
extension Simulation {
  /// Somebody has changed the configuration and asks for it to be read.
  func askForReload() {
    guard violation == nil, !isStopped, !isTerminating else { return }
    configurationVersion += 1
    let able = clients.values.filter { $0.mayAsk && !$0.isStranger }
    if let client = able.map(\.number).min(), second.oneIn(2) {
      let number = CommandNumber(nextCommand)
      nextCommand += 1
      reloadsAsked[number] = ReloadAsked(client: client, version: configurationVersion)
      reloads.asked(by: .command(number))
      if second.oneIn(3) { halfClose(client) }
    } else {
      reloads.asked(by: .signal)
      signalledVersion = configurationVersion
    }
    readConfiguration()
  }

  private func readConfiguration() {
    guard reloads.beginReading() else { return }
    if isReadingConfiguration { return complain("the configuration is read twice at once") }
    isReadingConfiguration = true
    agenda.plan(
      .configurationIsRead(version: configurationVersion),
      at: now + second.time(1000, .milliseconds(300)))
  }

  func configurationIsRead(_ version: Int) {
    isReadingConfiguration = false
    let askers = reloads.readingEnded()
    guard violation == nil, !isStopped, !isTerminating else { return }
    reload()
    for case .command(let number) in askers {
      guard let asked = reloadsAsked[number] else { continue }
      if asked.version > version {
        return complain("reload \(number.rawValue) is answered by a reading that began before it")
      }
      answerReload(number)
    }
    appliedVersion = version
    readConfiguration()
  }

  /// The half-close of who waits for a reload is kept from the core until then.
  private func answerReload(_ number: CommandNumber) {
    guard let client = reloadsAsked.removeValue(forKey: number)?.client,
      clients[client]?.line == .halfClosed, !awaitsReload(client)
    else { return }
    let instant = instant
    feed("client \(client.rawValue) has its reload and had shut down its side") {
      $0.clientHalfClosed(client, at: instant)
    }
  }

  func awaitsReload(_ client: ClientNumber) -> Bool {
    reloadsAsked.values.contains { $0.client == client }
  }

  /// The daemon is to end: nobody gets a reload any more.
  func refuseReloads() {
    for case .command(let number) in reloads.endAll() { answerReload(number) }
  }

  func checkReloads() {
    if !reloadsAsked.isEmpty { return complain("a reload was never answered") }
    if !isTerminating, appliedVersion < signalledVersion {
      complain("a signal for a reload was forgotten")
    }
  }
}

/// A client that waits for a reload, and the configuration that it means.
struct ReloadAsked {
  let client: ClientNumber
  let version: Int
}
