import Glibc
import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// The whole daemon: reads the configuration, wires everything together, runs until it is told to
/// stop.
package enum Daemon {
  /// Exit statuses (sysexits.h; `EX_CONFIG` also keeps systemd from restarting in a loop).
  package enum ExitStatus {
    package static let success: Int32 = 0
    package static let failure: Int32 = 1
    package static let configuration: Int32 = 78
  }

  /// Runs until the end of the daemon; to be called once, on the main thread.
  ///
  /// - Returns: the exit status.
  package static func run(_ options: CommandLineOptions) -> Int32 {
    // Before there is a key in memory.
    ProcessLimits.forbidCoreDumps()
    let surroundings = Surroundings.process
    if options.doctor { return Doctor(options, surroundings).run() }
    if options.upstreams { return UpstreamList.run(options, surroundings) }
    if options.storeKey { return KeyStore(options, surroundings).run() }
    do {
      let passed = try SocketActivation.take()
      let loader = ConfigurationLoader(
        options: options, surroundings: surroundings, socketIsPassed: !passed.isEmpty,
        descriptors: DescriptorBudget(openMax: ProcessLimits.raiseDescriptors()))
      if options.checkConfig { return try check(loader) }
      return try serve(try load(loader, passed), loader, passed)
    } catch let error as ConfigurationError {
      return complain(error.description, status: ExitStatus.configuration)
    } catch let error as SocketPathError {
      return complain(error.description, status: ExitStatus.failure)
    } catch {
      return complain("\(error)", status: ExitStatus.failure)
    }
  }

  private static func check(_ loader: ConfigurationLoader) throws(ConfigurationError) -> Int32 {
    for warning in try loader.load().warnings { say("warning: \(warning)") }
    return complain("the configuration is good", status: ExitStatus.success)
  }

  /// Where clients wait already, they are told what is wrong, for a while.
  private static func load(
    _ loader: ConfigurationLoader, _ passed: [PassedSocket]
  ) throws(ConfigurationError) -> ConfigurationLoader.Loaded {
    do throws(ConfigurationError) {
      return try loader.load()
    } catch {
      guard !passed.isEmpty else { throw error }
      say(error.description)
      let service = UnreadyService(
        sockets: passed, loader: loader, notifier: ServiceNotifier(), say: say)
      return try service.run(after: error)
    }
  }

  /// - Throws: ``ConfigurationError`` with all that is wrong with keys and trust at once.
  static func makeRuntimes(
    _ configuration: Configuration, _ surroundings: Surroundings
  ) throws(ConfigurationError) -> [UpstreamRuntime] {
    var problems: [ConfigurationProblem] = []
    var keys: UpstreamKeys?
    do throws(ConfigurationError) {
      keys = try UpstreamKeys(for: configuration, in: surroundings)
    } catch {
      problems += error.problems
    }
    var runtimes: [UpstreamRuntime] = []
    for upstream in configuration.upstreams {
      do throws(StartError) {
        runtimes.append(
          try UpstreamRuntime(
            upstream, key: keys?.secrets[upstream.name], defaults: configuration.defaults))
      } catch {
        problems.append(ConfigurationProblem(error.path, error.explanation))
      }
    }
    guard problems.isEmpty else { throw ConfigurationError(problems) }
    return runtimes
  }

  static func complain(_ text: String, status: Int32) -> Int32 {
    say(text)
    return status
  }

  /// Writes to standard output.
  ///
  /// - Returns: whether all of it was taken.
  static func print(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Writes to standard error; there is nobody left to tell if that fails.
  static func say(_ text: String) {
    for line in text.split(separator: "\n") {
      let bytes = Array("hotlined: \(line)\n".utf8)
      _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
  }

  private static func makeLog(_ configuration: Configuration) -> Logger {
    let handler = StandardErrorLog(
      level: configuration.logLevel, output: .standardError(configuration.logFormat),
      messageIDs: LogMessage.ids, repeats: RepeatLimit())
    return Logger(label: "hotlined") { _ in handler }
  }

  /// Root and the owner may always connect; where others may, the kernel is asked who they are.
  private static func bind(
    _ configuration: Configuration
  ) throws(SocketPathError) -> BoundSocket? {
    guard let path = configuration.socketPath else { return nil }
    return try SocketPath.bind(path, mode: configuration.service.admitsOthers ? 0o666 : 0o600)
  }

  /// Requests are served without metrics too.
  private static func bindMetrics(_ configuration: Configuration, _ log: Logger) -> BoundSocket? {
    guard let path = configuration.monitoring.metricsSocket else { return nil }
    do throws(SocketPathError) {
      return try SocketPath.bind(path)
    } catch {
      log.error("metrics cannot be fetched", metadata: ["reason": "\(error)"])
      return nil
    }
  }

  private static func loadSpending(
    _ surroundings: Surroundings, _ log: Logger
  ) -> (Spending, SpendingFile?) {
    guard let file = SpendingFile(in: surroundings) else { return (Spending(), nil) }
    do throws(SpendingFile.Unreadable) {
      return (try file.load(in: surroundings), file)
    } catch {
      log.warning(
        "what was spent today is not known: the budgets begin anew",
        metadata: ["file": "\(LogText.sanitized(file.path))", "reason": "\(error.reason)"])
      return (Spending(), file)
    }
  }

  private static func serve(
    _ loaded: ConfigurationLoader.Loaded, _ loader: ConfigurationLoader, _ passed: [PassedSocket]
  ) throws -> Int32 {
    let configuration = loaded.configuration
    let log = makeLog(configuration)
    for warning in loaded.warnings { log.warning("\(warning)") }
    let own = try passed.isEmpty ? bind(configuration) : nil
    defer { own?.remove() }
    let metrics = bindMetrics(configuration, log)
    defer { metrics?.remove() }
    let loop = EpollLoop()
    let notifier = ServiceNotifier()
    let stopped = loop.makePromise(of: Void.self)
    let spending = loadSpending(loader.surroundings, log)
    let started = loop.submit {
      let daemon = DaemonLoop(
        configuration: configuration, upstreams: loaded.upstreams, eventLoop: loop, log: log,
        ownerUID: getuid(), seed: .random(in: 0 ... .max))
      daemon.loader = loader
      (daemon.spending, daemon.spendingFile) = spending
      daemon.openAccessLog()
      let service = DaemonService(
        daemon, notifier: notifier, isActivated: !passed.isEmpty, stopped: stopped)
      return NIOLoopBound(service, eventLoop: loop)
    }
    let service = try started.wait()
    let signals = try TerminationSignals()
    loop.execute { service.value.listen(to: signals, on: loop) }
    let changes = NetworkChanges { change in
      loop.execute { service.value.networkChanged(change) }
    }
    defer { changes.cancel() }
    for (change, reason) in changes.failures {
      log.notice(
        "not watched: connections that die unnoticed are found by their next ping",
        metadata: ["what": change == .network ? "network" : "clock", "reason": "\(reason)"])
    }
    let descriptors = own.map { [$0.descriptor] } ?? passed.map(\.descriptor)
    do {
      try loop.submit { try service.value.serve(descriptors) }.wait()
    } catch {
      stopped.fail(error)
      throw error
    }
    log.info(
      "listening",
      metadata: ["socket": "\(own?.path ?? passed.map(\.name).joined(separator: ", "))"])
    loop.execute { service.value.serveMetrics(metrics?.descriptor) }
    CodePages.release()
    try stopped.futureResult.wait()
    signals.cancel()
    try loop.submit { service.value.storeSpending() }.wait()
    DaemonLoop.disk.wait()
    log.info("stopped")
    notifier.status("stopped")
    return ExitStatus.success
  }
}

/// This process, for status lines.
let ownProcessID: Int32 = getpid()

/// Why an upstream cannot be used as configured.
struct StartError: Error {
  /// The key at fault.
  let path: String
  let explanation: String
}

extension UpstreamRuntime {
  /// Loads the trust store (15 ms with the system's), so it is made before the loop runs.
  ///
  /// - Throws: ``StartError``.
  init(
    _ configuration: UpstreamConfiguration, key: Secret?,
    defaults: Configuration.RequestDefaults
  ) throws(StartError) {
    self.configuration = configuration
    presetPrices = configuration.presetPrices
    let path = "upstream.\(configuration.name)"
    do {
      let address = configuration.endpoint.address
      var headers = try configuration.headers.map { header in
        try UpgradeHeader(header.name, header.value, isSecret: header.isSecret)
      }
      if let name = configuration.subprotocol {
        headers.append(try UpgradeHeader("Sec-WebSocket-Protocol", name, isSecret: false))
      }
      if let key { headers.append(try key.header(configuration.keyHeader)) }
      if let file = configuration.clientIdentity?.keyFile {
        try SecretSource.checkPrivate(file)
      }
      endpoint = UpstreamEndpoint(
        address: address, headers: headers,
        tls: address.isSecure ? try TLSContext(configuration.tls) : nil,
        proxy: try configuration.endpointProxy())
    } catch let error as TLSError {
      let item = error.item ?? .caFile
      throw StartError(path: "\(path).\(item.rawValue)", explanation: error.description)
    } catch let problem as KeyProblem {
      throw StartError(path: "\(path).client_key", explanation: problem.explanation)
    } catch {
      throw StartError(path: path, explanation: "\(error)")
    }
    dialect = UpstreamDialect(configuration, defaults)
    warmUpModel = configuration.warmUp.flatMap { $0.model?.description ?? defaults.model }
  }
}

extension UpstreamDialect {
  init(_ configuration: UpstreamConfiguration, _ defaults: Configuration.RequestDefaults) {
    self.init(
      envelope: configuration.envelope == .nested ? .nested : .flat,
      forcesStoreFalse: configuration.storeFalse,
      isolatesResponses: configuration.isolatesResponses,
      answersInText: configuration.answersInText,
      defaultModel: configuration.takesModel ? defaults.model : nil,
      defaultInstructions: defaults.instructions,
      messageBytesMax: configuration.limits.messageBytesMax)
  }
}

extension UpstreamConfiguration {
  /// A proxy is trusted by the same authorities as the server; the rest is between us and that.
  fileprivate func endpointProxy() throws(TLSError) -> UpstreamEndpoint.Proxy? {
    guard let proxy else { return nil }
    let settings = TLSSettings(trust: tls.trust, caFileExtra: caFileExtra)
    return UpstreamEndpoint.Proxy(
      proxy, tls: proxy.isSecure ? try TLSContext(settings) : nil)
  }
}

extension UpstreamConfiguration.Header {
  /// Whatever the user puts into a header may be a secret; the protocol's own headers are not.
  fileprivate var isSecret: Bool {
    !["openai-beta", "sec-websocket-protocol", "user-agent"].contains(name.lowercased())
  }
}

extension Secret {
  /// The one header that carries it.
  fileprivate func header(_ header: UpstreamConfiguration.KeyHeader) throws -> UpgradeHeader {
    try withBytes { key in
      try key.withUnsafeBufferPointer { bytes in
        try UpgradeHeader(
          header.name, prefix: header == .bearer ? "Bearer " : "",
          secret: UnsafeRawBufferPointer(bytes))
      }
    }
  }
}
