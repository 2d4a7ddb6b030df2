-- Viaduct beside FreeSWITCH: ask the SIP element about a call before the call goes on, add what it answers, and go on without an
-- answer. docs/switches.md explains each step.
--
-- NOT TESTED HERE: written for FreeSWITCH 1.10 from its documentation. One Identity header field is carried over, not several: for
-- calls in transit use the element as a proxy (next_hop in its row) instead.
--
-- The rows of the element: answer: {identity: contact}, because FreeSWITCH shows a dialplan the Contact of a redirection and
-- not its header fields. In the SIP profile: <param name="manual-redirect" value="true"/>. In dialplan, instead of the bridge:
--
--     <action application="set" data="viaduct_trunk=tdm-out"/>                          label of a row in the element
--     <action application="set" data="viaduct_element=192.0.2.10:5070"/>
--     <action application="set" data="viaduct_next=sofia/external/${destination_number}@198.51.100.7"/>
--     <action application="lua" data="freeswitch.lua"/>
--
-- and a context to which a redirected call goes:
--
--     <context name="viaduct"><extension name="answer"><condition>
--       <action application="lua" data="freeswitch.lua answer"/>
--     </condition></extension></context>

local taken = { identity = "Identity", date = "Date", ["p-asserted-identity"] = "P-Asserted-Identity",
	["attestation-info"] = "Attestation-Info", ["origination-id"] = "Origination-Id" }

local function decoded(text)
	return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- add takes over the header fields embedded in the Contact of a redirection.
local function add(contact)
	local fields = contact:match("%?([^>]*)")
	if not fields then return end
	for name, value in fields:gmatch("([^=&]+)=([^&]*)") do
		local known = taken[decoded(name):lower()]
		value = decoded(value)
		if known and not value:find("%c") then
			session:setVariable("sip_h_" .. known, value)
		end
	end
end

local function go_on()
	session:execute("bridge", session:getVariable("viaduct_next"))
end

if argv[1] == "answer" then
	add(session:getVariable("sip_redirect_contact_0") or "")
	go_on()
else
	local called = session:getVariable("destination_number")
	if called == "911" or called == "933" or called == "112" or called == "988" then
		go_on() -- calls for help wait for nobody
	else
		session:setVariable("continue_on_fail", "true")
		session:setVariable("hangup_after_bridge", "true")
		session:execute("bridge", string.format(
			"[sip_redirect_context=viaduct,originate_timeout=2,sip_invite_domain=%s.oob.example]sofia/external/%s@%s.oob.example;fs_path=sip:%s;transport=tcp",
			session:getVariable("viaduct_trunk"), called, session:getVariable("viaduct_trunk"), session:getVariable("viaduct_element")))
		local cause = session:getVariable("sip_invite_failure_status")
		if session:ready() and cause ~= "603" and cause ~= "607" and cause ~= "608" then
			go_on()
		end
	end
end
