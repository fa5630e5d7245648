import Glibc
import HotlineSystem

/// `--store-key`: reads a key and stores it where the daemon looks for it.
struct KeyStore {
  private let options: CommandLineOptions
  private let surroundings: Surroundings

  init(_ options: CommandLineOptions, _ surroundings: Surroundings) {
    self.options = options
    self.surroundings = surroundings
  }

  /// Why no key can be stored for an upstream.
  struct Refusal: Error, Hashable {
    let explanation: String
  }

  /// Where one upstream's key goes.
  struct Target: Hashable {
    let upstream: String
    let path: String
    /// Places that are looked at before that file.
    var before: [KeyPlace] = []
  }

  /// Main thread; waits for whoever types.
  ///
  /// - Returns: the exit status.
  func run() -> Int32 {
    do {
      let configuration = try Configuration.load(options, in: surroundings, socketIsPassed: true)
      let target = try Self.target(options.upstream, in: configuration)
      let secret = try SecretInput.read(
        STDIN_FILENO, prompt: "API key of \(target.upstream), not shown: ")
      try SecretFile.store(secret, at: target.path)
      Daemon.say("the key of \(target.upstream) is in \(LogText.sanitized(target.path))")
      warn(of: target)
      return Daemon.ExitStatus.success
    } catch let error as ConfigurationError {
      return Daemon.complain(error.description, status: Daemon.ExitStatus.configuration)
    } catch let refusal as Refusal {
      return Daemon.complain(refusal.explanation, status: Daemon.ExitStatus.configuration)
    } catch let problem as KeyProblem {
      return Daemon.complain(
        "this is no key: \(problem.explanation)", status: Daemon.ExitStatus.failure)
    } catch {
      return Daemon.complain("\(error)", status: Daemon.ExitStatus.failure)
    }
  }

  /// - Parameter name: nil for the default upstream.
  static func target(
    _ name: String?, in configuration: Configuration
  ) throws(Refusal) -> Target {
    let wanted = name ?? configuration.upstreams[configuration.defaultUpstream].name
    guard let upstream = configuration.upstreams.first(where: { $0.name == wanted }) else {
      let known = configuration.upstreams.map(\.name).joined(separator: ", ")
      throw Refusal(
        explanation: "there is no upstream \(Showable.quoted(wanted)); configured are: \(known)")
    }
    guard case .lookup(let places) = upstream.keyPolicy else {
      throw Refusal(
        explanation: "upstream.\(wanted).api_key is \"none\": it is sent no key")
    }
    // A file that was named is looked at first, the one in the directory of keys last.
    for (index, place) in places.enumerated() {
      guard case .file(let path) = place.source else { continue }
      return Target(upstream: wanted, path: path, before: Array(places[..<index]))
    }
    throw Refusal(
      explanation: "there is no place for the key of \(wanted): name one by api_key_file in "
        + "[upstream.\(wanted)], or set HOME")
  }

  /// A key that is found earlier would be used in its place.
  private func warn(of target: Target) {
    for place in target.before {
      if case .success(nil) = surroundings.readSecret(place.source) { continue }
      Daemon.say(
        "warning: \(place.label) is set here and comes before that file; a daemon that has it too "
          + "does not look there")
    }
  }
}
