import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// The configuration, read again while the daemon runs: off the loop, as it blocks on the disk.
extension DaemonLoop {
  /// Problems that one answer tells of.
  private static let problemsMax = 8

  /// Reads the configuration once more, and answers whoever asked.
  func reload(for asker: ReloadQueue.Asker) {
    guard !isTerminating else { return refuseReload(asker) }
    reloads.asked(by: asker)
    readConfiguration()
  }

  private func readConfiguration() {
    guard reloads.beginReading() else { return }
    guard let loader else { preconditionFailure("a reload before the loop has its loader") }
    onReload?(true)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    Self.disk.async { [eventLoop] in
      let result = Result { () throws(ConfigurationError) in try loader.load() }
      eventLoop.execute {
        // Nothing is read within a read.
        bound.value.batchEnded()
        bound.value.step(.configurationRead(result))
      }
    }
  }

  func configurationRead(
    _ result: Result<ConfigurationLoader.Loaded, ConfigurationError>, at now: MonotonicInstant
  ) {
    let askers = reloads.readingEnded()
    guard !isTerminating else { return askers.forEach(refuseReload) }
    switch result {
    case .success(let loaded):
      let warnings = loaded.warnings + apply(loaded, at: now)
      log.info(
        "configuration reloaded", metadata: ["file": "\(loaded.configuration.file ?? "none")"])
      for warning in warnings { log.warning("\(warning)") }
      for case .command(let number) in askers { answerReload(number, nil, warnings, at: now) }
    case .failure(let error):
      let failure = HotlineError(.invalidRequest, explanation(of: error))
      log.error(
        "configuration not reloaded: everything is as before",
        metadata: ["reason": "\(failure.detail)"])
      for case .command(let number) in askers { answerReload(number, failure, at: now) }
    }
    onReload?(false)
    readConfiguration()
  }

  /// The daemon is to end: nobody gets a reload any more.
  func refuseReloads() {
    for asker in reloads.endAll() { refuseReload(asker) }
  }

  private func refuseReload(_ asker: ReloadQueue.Asker) {
    guard case .command(let number) = asker else { return }
    let error = HotlineError(
      .shuttingDown,
      "the daemon is ending and reloads nothing; it reads its configuration when it runs again",
      isRetryable: true)
    answerReload(number, error, at: now)
  }

  private func answerReload(
    _ number: CommandNumber, _ error: HotlineError?, _ warnings: [String] = [],
    at now: MonotonicInstant
  ) {
    let client = commands[number]?.client
    answer(number, error, warnings: warnings)
    // Its half-close was kept from the core.
    guard let client, client.halfClosedAt != nil, !awaitsReload(client) else { return }
    perform(broker.clientHalfClosed(client.number, at: now))
  }

  private func explanation(of error: ConfigurationError) -> String {
    let problems = error.problems
    var text = "the configuration is as before, for \(loader?.file ?? "what is set") is wrong: "
    text += problems.prefix(Self.problemsMax).map(\.description).joined(separator: "; ")
    if problems.count > Self.problemsMax {
      text += "; and \(problems.count - Self.problemsMax) more, see hotlined --check-config"
    }
    return text
  }

  // MARK: Applying

  /// - Returns: what cannot change while the daemon runs.
  private func apply(
    _ loaded: ConfigurationLoader.Loaded, at now: MonotonicInstant
  ) -> [String] {
    let new = loaded.configuration
    let warnings = warnings(about: new)
    let reloads = replaceUpstreams(loaded)
    configuration = new
    log.logLevel = new.logLevel
    ledger.limit = new.limits.memoryBytesMax
    openAccessLog()
    for client in clients.values { client.lineBytesMax = new.limits.lineBytesMax }
    // How long a server may be held up follows from how long its pong may take.
    for link in links.values { endHold(of: link) }
    let isDrainEnding = broker.isDraining
    perform(broker.reloaded(limits: new.limits, upstreams: reloads, at: now))
    dismissStrangers(at: now)
    if isDrainEnding { log.info("the drain has ended: new requests are taken again") }
    onChange?()
    return warnings
  }

  private func warnings(about new: Configuration) -> [String] {
    var warnings: [String] = []
    if let old = configuration.socketPath, let path = new.socketPath, old != path {
      warnings.append(
        "socket.path: \(LogText.sanitized(path)) takes effect at the next start; until then the "
          + "socket stays at \(LogText.sanitized(old))")
    }
    let (before, after) = (configuration.monitoring, new.monitoring)
    if before.metricsSocket != after.metricsSocket || before.metricsAddress != after.metricsAddress
    {
      warnings.append("metrics: where they can be fetched changes at the next start")
    }
    return warnings
  }

  /// An upstream keeps its index for ever: a new name gets a new one, one that is gone keeps its.
  private func replaceUpstreams(_ loaded: ConfigurationLoader.Loaded) -> [UpstreamReload] {
    var next = upstreams
    for index in next.indices { next[index].isRemoved = true }
    var renewed: Set<Int> = []
    for runtime in loaded.upstreams {
      let name = runtime.configuration.name
      guard let index = upstreams.firstIndex(where: { $0.configuration.name == name }) else {
        next.append(runtime)
        continue
      }
      if runtime.needsNewConnections(insteadOf: upstreams[index]) { renewed.insert(index) }
      next[index] = runtime.continuing(upstreams[index])
    }
    upstreams = next
    for link in links.values { link.reloaded(next[link.upstream.rawValue].dialect) }
    let name = loaded.configuration.upstreams[loaded.configuration.defaultUpstream].name
    nameUpstreams(default: name)
    return next.enumerated().map { index, runtime in
      UpstreamReload(
        runtime.configuration.settings, isRemoved: runtime.isRemoved,
        needsNewConnections: renewed.contains(index))
    }
  }
}
