import HotlineSystem

/// Where the key of one upstream is looked for.
package enum KeyPolicy: Hashable, Sendable {
  /// The server wants none, or gets it by a header of the configuration.
  case none
  /// The first place that has something in it decides.
  case lookup([KeyPlace])
}

/// One place where a key may lie.
package struct KeyPlace: Hashable, Sendable {
  package var source: SecretSource
  /// What the place is called in messages: a flag, a full key, a variable.
  package var label: String
  /// Somebody named this place: it is an error if nothing is there.
  package var isNamed: Bool
}

/// The keys of all upstreams. Never part of ``Configuration``, which may be compared and listed.
package struct UpstreamKeys: Sendable {
  /// By the upstream's name; an upstream that wants no key has none.
  package private(set) var secrets: [String: Secret] = [:]

  /// Looks up every upstream's key.
  ///
  /// Any thread; blocks on the disk.
  /// - Throws: ``ConfigurationError`` with everything that is wrong, quoting nothing that was
  ///   found.
  package init(
    for configuration: Configuration, in surroundings: Surroundings
  ) throws(ConfigurationError) {
    var problems: [ConfigurationProblem] = []
    for (index, upstream) in configuration.upstreams.enumerated() {
      guard case .lookup(let places) = upstream.keyPolicy else { continue }
      do throws(ConfigurationProblem.Thrown) {
        secrets[upstream.name] = try Self.firstKey(places, surroundings)
        if secrets[upstream.name] != nil { continue }
      } catch {
        problems.append(error.problem)
        continue
      }
      let isDefault = index == configuration.defaultUpstream
      problems.append(Self.missing(upstream, isDefault: isDefault, configuration, places))
    }
    if !problems.isEmpty { throw ConfigurationError(problems) }
  }

  private static func firstKey(
    _ places: [KeyPlace], _ surroundings: Surroundings
  ) throws(ConfigurationProblem.Thrown) -> Secret? {
    for place in places {
      switch surroundings.readSecret(place.source) {
      case .success(let secret?): return secret
      case .success(nil) where !place.isNamed: continue
      case .success(nil):
        throw .init(.init(place.label, KeyProblem.file(.missing).explanation))
      case .failure(let problem): throw .init(.init(place.label, problem.explanation))
      }
    }
    return nil
  }

  private static func missing(
    _ upstream: UpstreamConfiguration, isDefault: Bool, _ configuration: Configuration,
    _ places: [KeyPlace]
  ) -> ConfigurationProblem {
    var ways = ["api_key_file in [upstream.\(upstream.name)]"]
    if isDefault {
      ways.insert("--api-key-file FILE", at: 0)
      ways.append("the systemd credential hotline-api-key")
      ways.append("$HOTLINE_API_KEY")
    }
    if let variable = upstream.keyVariable { ways.append("$\(variable)") }
    if let place = places.last, case .file(let path) = place.source {
      ways.append("the file \(path)")
    }
    let command = "hotline key set" + (isDefault ? "" : " --upstream \(upstream.name)")
    var message = "there is no API key; \"\(command)\" stores one. Looked for in this order: "
    message += ways.joined(separator: ", ")
    message += ". A key file has to have mode 0600. api_key = \"none\" is for a server without keys"
    let others = configuration.upstreams.filter { $0.name != upstream.name }
    if isDefault, configuration.origins["default_upstream"] == nil, !others.isEmpty {
      let names = others.map(\.name).joined(separator: ", ")
      message += "; default_upstream would name another upstream (\(names)) the default"
    }
    return .init("upstream.\(upstream.name)", message)
  }
}

extension ConfigurationProblem {
  /// A problem on its way up.
  struct Thrown: Error {
    let problem: ConfigurationProblem

    init(_ problem: ConfigurationProblem) { self.problem = problem }
  }
}
