import Glibc
import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport
import HotlineWire
import Logging
import NIOCore
import NIOPosix

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
    let surroundings = Surroundings.process
    if options.doctor { return Doctor(options, surroundings).run() }
    do {
      let passed = try SocketActivation.take()
      let loader = ConfigurationLoader(
        options: options, surroundings: surroundings, socketIsPassed: !passed.isEmpty)
      let loaded = try loader.load()
      if options.checkConfig {
        return complain("the configuration is good", status: ExitStatus.success)
      }
      return try serve(loaded, loader, passed)
    } catch let error as ConfigurationError {
      return complain(error.description, status: ExitStatus.configuration)
    } catch let error as SocketPathError {
      return complain(error.description, status: ExitStatus.failure)
    } catch {
      return complain("\(error)", status: ExitStatus.failure)
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

  private static func complain(_ text: String, status: Int32) -> Int32 {
    for line in text.split(separator: "\n") {
      let bytes = Array("hotlined: \(line)\n".utf8)
      _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
    return status
  }

  private static func serve(
    _ loaded: ConfigurationLoader.Loaded, _ loader: ConfigurationLoader, _ passed: [PassedSocket]
  ) throws -> Int32 {
    let configuration = loaded.configuration
    let log = Logger(label: "hotlined") { _ in StandardErrorLog(level: configuration.logLevel) }
    let own = try passed.isEmpty ? configuration.socketPath.map { try SocketPath.bind($0) } : nil
    defer { own?.remove() }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let notifier = ServiceNotifier()
    let stopped = loop.makePromise(of: Void.self)
    let started = loop.submit {
      let daemon = DaemonLoop(
        configuration: configuration, upstreams: loaded.upstreams, eventLoop: loop, log: log,
        ownerUID: getuid(), seed: .random(in: 0 ... .max))
      daemon.loader = loader
      let service = DaemonService(
        daemon, notifier: notifier, isActivated: !passed.isEmpty, stopped: stopped)
      return NIOLoopBound(service, eventLoop: loop)
    }
    let service = try started.wait()
    let signals = TerminationSignals { signal in
      loop.execute { service.value.received(signal) }
    }
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
      try loop.flatSubmit { service.value.serve(descriptors) }.wait()
    } catch {
      stopped.fail(error)
      throw error
    }
    log.info(
      "listening",
      metadata: ["socket": "\(own?.path ?? passed.map(\.name).joined(separator: ", "))"])
    try stopped.futureResult.wait()
    signals.cancel()
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
    let path = "upstream.\(configuration.name)"
    do {
      let address = configuration.endpoint.address
      var headers = try configuration.headers.map { header in
        try UpgradeHeader(header.name, header.value, isSecret: header.isSecret)
      }
      if let key {
        let value = "Bearer " + key.text
        headers.append(try UpgradeHeader("Authorization", value, isSecret: true))
      }
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
    dialect = UpstreamDialect(
      envelope: configuration.envelope == .nested ? .nested : .flat,
      forcesStoreFalse: configuration.storeFalse, defaultModel: defaults.model,
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
  /// The key as text, for the one header that carries it.
  var text: String {
    withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
  }
}
