// Meter counts requests in shared data and in a metric, and says the count at every tick.
package main

import (
	"encoding/binary"
	"errors"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	requests proxywasm.MetricCounter
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	p.requests = proxywasm.DefineCounterMetric("meter_requests_total")
	if err := proxywasm.SetTickPeriodMilliSeconds(1000); err != nil {
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (p *plugin) OnTick() {
	value, _, err := proxywasm.GetSharedData("count")
	if errors.Is(err, types.ErrorStatusNotFound) {
		proxywasm.LogInfo("nothing yet")
		return
	}
	proxywasm.LogInfof("%d by data, %d by metric", binary.LittleEndian.Uint64(value), p.requests.Value())
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &meter{requests: p.requests} }

type meter struct {
	types.DefaultHttpContext
	requests proxywasm.MetricCounter
}

func (m *meter) OnHttpRequestHeaders(int, bool) types.Action {
	m.requests.Increment(1)
	for {
		value, cas, err := proxywasm.GetSharedData("count")
		if err != nil {
			value = make([]byte, 8)
		}
		binary.LittleEndian.PutUint64(value, binary.LittleEndian.Uint64(value)+1)
		err = proxywasm.SetSharedData("count", value, cas)
		if err == nil {
			return types.ActionContinue
		}
		if !errors.Is(err, types.ErrorStatusCasMismatch) {
			proxywasm.LogCriticalf("%v", err)
			return types.ActionContinue
		}
	}
}
