import HotlineSystem

/// Reads the configuration with all that belongs to it: at start, and on each reload the same way,
/// so that flags and environment come before the file again.
struct ConfigurationLoader: Sendable {
  let options: CommandLineOptions
  let surroundings: Surroundings
  /// The service manager passed the socket.
  let socketIsPassed: Bool

  /// A configuration that can be run by: keys are found, trust stores read.
  struct Loaded: Sendable {
    let configuration: Configuration
    /// In the order of ``Configuration/upstreams``.
    let upstreams: [UpstreamRuntime]
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
    let configuration = try Configuration.load(
      options, in: surroundings, socketIsPassed: socketIsPassed)
    var upstreams = try Daemon.makeRuntimes(configuration, surroundings)
    for index in upstreams.indices {
      upstreams[index].filesDigest = digest(upstreams[index].configuration.trustFiles)
    }
    return Loaded(configuration: configuration, upstreams: upstreams)
  }

  private func digest(_ files: [String]) -> Int {
    guard !files.isEmpty else { return 0 }
    var hasher = Hasher()
    for file in files {
      hasher.combine(try? surroundings.readFile(file, Self.trustFileBytesMax).get())
    }
    return hasher.finalize()
  }
}
