import HotlineSystem

/// Reads the configuration with all that belongs to it: at start, and on each reload the same way,
/// so that flags and environment come before the file again.
struct ConfigurationLoader: Sendable {
  let options: CommandLineOptions
  let surroundings: Surroundings
  /// The service manager passed the socket.
  let socketIsPassed: Bool
  /// What the descriptors are shared by; nil to look at none.
  var descriptors: DescriptorBudget?

  /// A configuration that can be run by: keys are found, trust stores read.
  struct Loaded: Sendable {
    let configuration: Configuration
    /// In the order of ``Configuration/upstreams``.
    let upstreams: [UpstreamRuntime]
    /// What is to be told though it runs.
    var warnings: [String] = []
  }

  /// Bytes of a file of certificates that are looked at to see whether it has changed.
  private static let trustFileBytesMax = 16 << 20

  /// The file that is read, whether it is there or not.
  var file: String? {
    options.config ?? surroundings.configurationDirectory.map { $0 + "/config.toml" }
  }

  /// Any thread; blocks on the disk.
  ///
  /// - Throws: ``ConfigurationError`` with all that is wrong.
  func load() throws(ConfigurationError) -> Loaded {
    var configuration = try Configuration.load(
      options, in: surroundings, socketIsPassed: socketIsPassed)
    var upstreams = try Daemon.makeRuntimes(configuration, surroundings)
    for index in upstreams.indices {
      upstreams[index].filesDigest = trustDigest(upstreams[index].configuration)
    }
    var warnings: [String] = []
    if let warning = descriptors?.apply(to: &configuration) { warnings.append(warning) }
    if !socketIsPassed, configuration.service.exitWhenIdle > .zero {
      warnings.append(
        "socket.exit_when_idle: has no effect without a socket that the service manager holds, for "
          + "nobody would start the daemon again")
    }
    if let warning = Self.budgetWarning(configuration) { warnings.append(warning) }
    return Loaded(configuration: configuration, upstreams: upstreams, warnings: warnings)
  }

  /// A budget that counts nothing guards against nothing.
  private static func budgetWarning(_ configuration: Configuration) -> String? {
    guard configuration.budgets.isSet else { return nil }
    let presets = configuration.upstreams.map(\.presetPrices)
    let isPriced = configuration.prices.contains { model, price in
      presets.contains { price.filled(from: $0[model]).isComplete }
    }
    guard !isPriced else { return nil }
    return "budget_usd_per_day: no model's prices of input and output are both known, so that "
      + "nothing is counted; give them in [price.\"MODEL\"]"
  }

  private func trustDigest(_ upstream: UpstreamConfiguration) -> Int {
    let (files, systemPaths) = (upstream.trustFiles, upstream.systemTrustPaths)
    guard !files.isEmpty || !systemPaths.isEmpty else { return 0 }
    var hasher = Hasher()
    for file in files {
      hasher.combine(try? surroundings.readFile(file, Self.trustFileBytesMax).get())
    }
    // There may be many files in these.
    for path in systemPaths { hasher.combine(SmallFile.changedAt(path)) }
    return hasher.finalize()
  }
}
