import HotlineCore
import HotlineWire

/// What new connections are sent before anybody asks for anything. No message quotes it: it may
/// hold prompts.
extension ConfigurationReader {
  mutating func readWarmUp(
    _ reader: inout TableReader, into upstream: inout UpstreamConfiguration, _ preset: Preset
  ) {
    let key = "warm_up"
    guard let text = reader.string(key, such: "{…}") else { return }
    guard preset.warmUp != .none else {
      reader.reject(
        key, "is nothing that a server of the preset \(preset.name) knows; leave it out")
      return
    }
    guard Schema.warmUpBytes.contains(text.utf8.count) else {
      let range = Schema.warmUpBytes
      reader.reject(
        key,
        "has \(text.utf8.count) bytes; \(range.lowerBound) to \(range.upperBound) would do")
      return
    }
    do throws(WarmUpRequest.Problem) {
      upstream.warmUp = try WarmUpRequest(text.utf8)
    } catch {
      reader.reject(
        key,
        error.explanation + "; a JSON object with members of a request, such as "
          + #"'{"model":"…","instructions":"…","tools":[…]}', would do"#)
    }
  }

  /// What depends on other keys too, of other tables even.
  mutating func checkWarmUps(
    _ upstreams: [UpstreamConfiguration], _ defaults: Configuration.RequestDefaults
  ) {
    for upstream in upstreams {
      guard let warmUp = upstream.warmUp,
        let problem = Self.problem(with: warmUp, upstream, defaults)
      else { continue }
      let parts = ["upstream", upstream.name, "warm_up"]
      problems.append(
        .init(Showable.path(parts), problem, line: document?.outline.line(of: parts)))
    }
  }

  private static func problem(
    with warmUp: WarmUpRequest, _ upstream: UpstreamConfiguration,
    _ defaults: Configuration.RequestDefaults
  ) -> String? {
    if upstream.takesModel, !warmUp.body.hasModel, defaults.model == nil {
      return "has no model, and there is no default; add a member model, or set model in [defaults]"
    }
    do throws(HotlineError) {
      let lane = upstream.limits.lanes > 1 ? LaneName.countMax - 1 : nil
      _ = try UpstreamDialect(upstream, defaults).message(for: warmUp.body, lane: lane)
      return nil
    } catch {
      return "would not be taken: \(error.detail)"
    }
  }
}
