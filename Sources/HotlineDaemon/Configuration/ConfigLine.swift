import HotlineWire

/// `hotline.config`: the configuration in force, in one line.
struct ConfigLine {
  let configuration: Configuration
  let echo: [UInt8]?

  func append(to bytes: inout [UInt8]) {
    LocalLine.appendLine(to: &bytes) { line in
      line.member("type", "hotline.config")
      if let echo { line.member("request_id", spelling: echo) }
      line.member("file", configuration.file)
      line.name("settings")
      line.beginArray()
      for setting in EffectiveSettings(configuration).settings {
        line.beginObject()
        line.member("key", setting.key)
        line.name("value")
        append(setting.value, to: &line)
        line.member("origin", setting.origin.rawValue)
        line.endObject()
      }
      line.endArray()
    }
  }

  private func append(_ value: EffectiveSettings.Value, to line: inout JSONWriter) {
    switch value {
    case .text(let text): line.string(text)
    case .number(let number): line.integer(number)
    case .decimal(let number): line.decimal(number, decimalsMax: 9)
    case .boolean(let boolean): line.boolean(boolean)
    case .none: line.null()
    case .list(let texts):
      line.beginArray()
      for text in texts { line.string(text) }
      line.endArray()
    case .masked(let names):
      line.beginObject()
      for name in names {
        line.name(text: name)
        line.string(EffectiveSettings.mask)
      }
      line.endObject()
    }
  }
}
