import Dispatch
import HotlineCore
import HotlineSystem
import HotlineTransport
import NIOCore
import Synchronization

/// `hotlined --doctor`: goes the way to every upstream step by step, and says how far it gets.
struct Doctor {
  private let options: CommandLineOptions
  private let surroundings: Surroundings
  private let lookup: NameLookup.Function

  /// - Parameter lookup: is called on a thread that it may block.
  init(
    _ options: CommandLineOptions, _ surroundings: Surroundings,
    lookup: @escaping NameLookup.Function = NameLookup.addresses
  ) {
    self.options = options
    self.surroundings = surroundings
    self.lookup = lookup
  }

  /// Prints the report to standard output. On the main thread; blocks.
  ///
  /// - Returns: the exit status, 0 if all is well.
  func run() -> Int32 {
    let report = examine()
    let isPrinted = Daemon.print(options.json ? report.json : Array(report.text.utf8))
    return report.isGood && isPrinted ? Daemon.ExitStatus.success : Daemon.ExitStatus.failure
  }

  func examine() -> DoctorReport {
    let began = NIODeadline.now()
    let configuration: Configuration
    do throws(ConfigurationError) {
      // No socket is needed for this.
      configuration = try Configuration.load(options, in: surroundings, socketIsPassed: true)
    } catch {
      return DoctorReport(
        configuration: .bad(
          "configuration", .since(began), error.problems.map(\.description).joined(separator: "; "),
          remedy: "each problem names what would do; see hotline.toml(5)"))
    }
    let file = configuration.file ?? "no file, so the defaults hold"
    var report = DoctorReport(configuration: .good("configuration", .since(began), file))
    let loop = EpollLoop()
    for index in configuration.upstreams.indices {
      let upstream = configuration.upstreams[index]
      report.upstreams.append(
        .init(
          name: upstream.name, url: upstream.endpoint.displayed,
          steps: steps(to: upstream, at: index, of: configuration, on: loop)))
    }
    try? loop.syncShutdownGracefully()
    return report
  }

  private func steps(
    to upstream: UpstreamConfiguration, at index: Int, of configuration: Configuration,
    on loop: EpollLoop
  ) -> [DoctorStep] {
    let (key, keyStep) = key(of: upstream, at: index, in: configuration)
    var steps = [keyStep]
    let began = NIODeadline.now()
    let runtime: UpstreamRuntime
    do throws(StartError) {
      runtime = try UpstreamRuntime(upstream, key: key, defaults: configuration.defaults)
    } catch {
      steps.append(
        .bad(
          "settings", .since(began), "\(error.path): \(error.explanation)",
          remedy: "correct this key of the configuration"))
      return steps + DoctorSteps.afterSettings(upstream).map { .skipped($0) }
    }
    steps.append(nameStep(upstream))
    if steps.last?.isBad == true {
      return steps + DoctorSteps.afterName(upstream).map { .skipped($0) }
    }
    guard let first = try? DoctorProbe.run(runtime, on: loop).wait() else { return steps }
    // A second connection shows whether the first one's ticket is taken.
    let second =
      first.facts == nil || !upstream.endpoint.isSecure
      ? nil : try? DoctorProbe.run(runtime, on: loop).wait()
    return steps + DoctorSteps(upstream, first, second).all
  }

  // MARK: Steps before the dial

  private func key(
    of upstream: UpstreamConfiguration, at index: Int, in configuration: Configuration
  ) -> (Secret?, DoctorStep) {
    let began = NIODeadline.now()
    guard case .lookup = upstream.keyPolicy else {
      return (nil, .good("key", nil, "none is wanted"))
    }
    // Each upstream by itself, so that one without a key does not hide another's.
    var own = configuration
    own.upstreams = [upstream]
    own.defaultUpstream = index == configuration.defaultUpstream ? 0 : -1
    do throws(ConfigurationError) {
      let secret = try UpstreamKeys(for: own, in: surroundings).secrets[upstream.name]
      let end = secret?.lastFour ?? ""
      let detail = end.isEmpty ? "there is one (too short to show any of it)" : "ends in \(end)"
      return (secret, .good("key", .since(began), detail))
    } catch {
      let problems = error.problems.map(\.description).joined(separator: "; ")
      return (
        nil,
        .bad("key", .since(began), problems, remedy: "put the key where one of these looks for it")
      )
    }
  }

  /// A name server may take longer than anybody waits; its thread ends with the program then.
  private func addresses(
    of host: String, within limit: Duration
  ) -> Result<[String], NameLookup.Failure> {
    let finding = Finding<Result<[String], NameLookup.Failure>>()
    NameLookup.inBackground(lookup, of: host, .any) { finding.found($0) }
    let timedOut = NameLookup.Failure("no answer within \(inSeconds(limit))", isDefinite: false)
    return finding.wait(limit) ?? .failure(timedOut)
  }

  private func nameStep(_ upstream: UpstreamConfiguration) -> DoctorStep {
    if upstream.endpoint.address.socketPath != nil {
      return .good("name", nil, "a Unix socket of this machine has none")
    }
    let host = upstream.proxy?.host ?? upstream.endpoint.host
    let whose = upstream.proxy == nil ? "" : "of the proxy: "
    let began = NIODeadline.now()
    switch addresses(of: host, within: upstream.limits.connectTimeout) {
    case .success(let addresses):
      return .good("name", .since(began), whose + addresses.joined(separator: ", "))
    case .failure(let failure):
      return .bad(
        "name", .since(began), "\(whose)\(host): \(failure.description)",
        remedy: "check the host's spelling, and the name server (getent hosts \(host)); where only "
          + "a proxy knows the way out, set proxy or HTTPS_PROXY")
    }
  }
}

/// What another thread finds out, perhaps when nobody waits for it any more.
private final class Finding<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let isThere = DispatchSemaphore(value: 0)

  func found(_ value: Value) {
    self.value.withLock { $0 = value }
    isThere.signal()
  }

  func wait(_ limit: Duration) -> Value? {
    _ = isThere.wait(timeout: .now() + .nanoseconds(Int(limit.wholeNanoseconds)))
    return value.withLock { $0 }
  }
}

extension Duration {
  static func since(_ instant: NIODeadline) -> Duration {
    Duration(NIODeadline.now() - instant)
  }
}
