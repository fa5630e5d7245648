#!/usr/bin/env lua5.4
-- A client of hotlined for Lua with luasocket and lua-cjson: copy it, or require it.
--
--     hotline.lua ask|stream|tools|parallel|cancel [TEXT...]
--
-- Without TEXT the question is standard input. README.md has the exit status.
local cjson = require("cjson.safe")
local socket = require("socket")
local unix = require("socket.unix")

-- A connection with any number of requests side by side. What goes wrong with it is raised as one
-- line of text.
local Hotline = {}
Hotline.__index = Hotline

local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

function Hotline.connect(path)
  local directory = variable("XDG_RUNTIME_DIR")
  path = path or variable("HOTLINE_SOCKET") or directory and directory .. "/hotline.sock"
    or error("cannot reach hotlined: set HOTLINE_SOCKET or XDG_RUNTIME_DIR", 0)
  local peer = unix.stream()
  local ok, reason = peer:connect(path)
  if not ok then error("cannot reach hotlined at " .. path .. ": " .. reason, 0) end
  peer:settimeout(0)
  local self = {peer = peer, made = 0, open = {}, out = "", partial = {}, lines = {}}
  return setmetatable(self, Hotline)
end

-- Sends a request and returns its answer to come, which is over when it has an outcome. The
-- options are those of `hotline`.
function Hotline:request(response, options)
  self.made = self.made + 1
  local id = "q" .. self.made
  self.open[id] = {id = id, text = "", output = {}}
  self:send({type = "response.create", request_id = id, hotline = options, response = response})
  return self.open[id]
end

function Hotline:cancel(answer)
  self:send({type = "response.cancel", request_id = answer.id})
end

-- Says that no more requests come: the daemon closes after the last answer.
function Hotline:finish()
  self.finished = true
  self:write()
end

function Hotline:send(message)
  self.out = self.out .. assert(cjson.encode(message)) .. "\n"
  self:write()
end

-- Writes what the socket takes; the rest goes while lines are read, because the daemon may wait for
-- us to read.
function Hotline:write()
  if #self.out > 0 then
    local sent, failure, partial = self.peer:send(self.out)
    -- After a failure the daemon has closed; what it said before is still to be read.
    self.out = failure == "closed" and "" or self.out:sub((sent or partial) + 1)
  end
  if self.finished and self.out == "" then self.peer:shutdown("send") end
end

function Hotline:next_line()
  while #self.lines == 0 do
    socket.select({self.peer}, #self.out > 0 and {self.peer} or nil)
    self:write()
    local chunk, failure, partial = self.peer:receive(1 << 18)
    chunk = chunk or partial
    if chunk == "" and failure == "closed" then
      error("hotlined closed the connection before the last line", 0)
    end
    local rest, line_end = 1, chunk:find("\n", 1, true)
    while line_end do
      table.insert(self.partial, chunk:sub(rest, line_end - 1))
      table.insert(self.lines, table.concat(self.partial))
      self.partial, rest = {}, line_end + 1
      line_end = chunk:find("\n", rest, true)
    end
    table.insert(self.partial, chunk:sub(rest))
  end
  return table.remove(self.lines, 1)
end

-- A member of objects in each other; null counts as none.
local function member(value, ...)
  for _, name in ipairs({...}) do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value ~= cjson.null and value or nil
end

local function take(answer, line)
  if line.type == "response.output_text.delta" then
    answer.text = answer.text .. line.delta
  elseif line.type == "response.completed" or line.type == "response.incomplete"
      or line.type == "response.failed" then
    answer.output = line.response.output
    answer.message = member(line, "response", "error", "message")
    for _, item in ipairs(answer.text == "" and answer.output or {}) do
      for _, part in ipairs(member(item, "content") or {}) do
        answer.text = answer.text .. (part.text or "")
      end
    end
  elseif line.type == "error" then
    answer.message = member(line, "error", "message") or line.message
    answer.retryable = member(line, "hotline", "retryable")
    -- Refused: nothing follows. After every other error a hotline.done does.
    if line.hotline and not line.hotline.accepted then answer.outcome = "error" end
  elseif line.type == "hotline.done" then
    answer.outcome = line.outcome
  end
end

-- Waits for the next line of a request, which its answer takes.
function Hotline:read()
  while true do
    local line = cjson.decode(self:next_line()) or {}
    local answer = self.open[line.request_id or ""]
    if answer then
      take(answer, line)
      if answer.outcome then self.open[answer.id] = nil end
      return line
    elseif line.type == "error" and line.request_id == cjson.null then
      error("refused by hotlined: " .. line.error.message, 0)
    end
  end
end

function Hotline:wait(answer)
  while not answer.outcome do self:read() end
  return answer
end

-- The exit status that tells an answer's outcome.
function Hotline.status(answer)
  local known = {completed = 0, incomplete = 3, cancelled = 130}
  return known[answer.outcome] or answer.retryable and 75 or 1
end

if ... == "hotline" then return Hotline end -- Required as a module.

-- Examples: each returns the answers that decide about the exit status.

local model = "gpt-5.3-codex"
local parameters = {type = "object", properties = {answer = {type = "string"}}}
local count_words = {type = "function", name = "count_words", parameters = parameters}
local examples = {}

-- One request, and no event but the last.
function examples.ask(hotline, text)
  local answer = hotline:request({model = model, input = text}, {events = "final"})
  hotline:finish()
  print(hotline:wait(answer).text)
  return {answer}
end

-- The text as it comes, cancelled after so many deltas.
function examples.stream(hotline, text, deltas_max)
  local answer = hotline:request({model = model, input = text}, {})
  local deltas = 0
  while not answer.outcome do
    local line = hotline:read()
    if line.type == "response.output_text.delta" then
      io.write(line.delta):flush()
      deltas = deltas + 1
      if deltas == deltas_max then hotline:cancel(answer) end -- A hotline.done still comes.
    end
  end
  print()
  return {answer}
end

function examples.cancel(hotline, text) return examples.stream(hotline, text, 3) end

-- The model calls a function; the result goes back with the whole conversation.
function examples.tools(hotline, text)
  local options = {conversation = "tools-" .. socket.gettime()}
  local input = {{role = "user", content = text}}
  local response = {model = model, tools = {count_words}, input = input}
  local answer = hotline:wait(hotline:request(response, options))
  for _, item in ipairs(answer.output) do
    if item.type == "function_call" then
      local _, words = cjson.decode(item.arguments).answer:gsub("%S+", "")
      item.id = nil -- The server has not stored it.
      table.insert(input, item)
      table.insert(input, {type = "function_call_output", call_id = item.call_id,
        output = words .. " words"})
    end
  end
  if #input > 1 then answer = hotline:wait(hotline:request(response, options)) end
  print(answer.text)
  return {answer}
end

-- Ten requests on one connection, whose events come in any order.
function examples.parallel(hotline, text)
  local answers = {}
  for number = 1, 10 do
    answers[number] = hotline:request({model = model, input = text .. " " .. number}, {})
  end
  for number, answer in ipairs(answers) do
    print(number .. ": " .. hotline:wait(answer).text)
  end
  return answers
end

local function complain(...)
  io.stderr:write("hotline: ", table.concat({...}, ": "), "\n")
end

local name = ...
if not examples[name] then
  complain("usage: hotline.lua ask|stream|tools|parallel|cancel [TEXT...]")
  os.exit(2)
end
local text = #arg > 1 and table.concat(arg, " ", 2) or io.read("a")
local ok, answers = pcall(function() return examples[name](Hotline.connect(), text) end)
if not ok then
  complain(answers)
  os.exit(69)
end
local worst = 0
for _, answer in ipairs(answers) do
  local status = Hotline.status(answer)
  if status ~= 0 then complain(answer.outcome, answer.message) end
  worst = math.max(worst, status)
end
os.exit(worst)
