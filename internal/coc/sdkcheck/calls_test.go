package sdkcheck_test

import (
	"context"
	"maps"
	"time"

	sdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1/model"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// calls are all of them but alarms, by their name.
func calls() map[string]apiCall {
	all := incidentCalls()
	maps.Copy(all, scriptCalls())
	maps.Copy(all, orderCalls())
	maps.Copy(all, documentCalls())
	return all
}

func p[T any](v T) *T { return &v }

// incidentCalls: we send is_service_interrupt as a bool, as COC's table and
// Terraform's provider do, the SDK as text.
func incidentCalls() map[string]apiCall {
	handle := func(operator string, key string, parameter map[string]any) func(c *sdk.CocClient, w world) (any, error) {
		return func(c *sdk.CocClient, w world) (any, error) {
			return c.HandleCocIncident(&model.HandleCocIncidentRequest{Body: &model.HandleExternalIncidentRequest{
				IncidentNum: w.incident, Operator: operator, OperateKey: key, Parameter: parameter,
			}})
		}
	}
	from, to := time.UnixMilli(1700000000000), time.UnixMilli(4000000000000)
	return map[string]apiCall{
		"create incident": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, _, err := c.CreateIncident(ctx, incident())
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				in := incident()
				return c.CreateCocIncident(&model.CreateCocIncidentRequest{Body: &model.CreateExternalIncidentRequest{
					Region: p([]string{in.Region}), EnterpriseProject: p([]string{in.EnterpriseProject}), CurrentCloudService: p([]string{in.Application}),
					IncidentLevel: in.Level, IsServiceInterrupt: "true", IncidentType: in.Type, IncidentTitle: in.Title, IncidentDescription: &in.Description,
					IncidentSource: in.Source, IncidentAssignee: p([]string{in.Assignee}), Creator: in.Creator, StartTime: &in.StartTime,
				}})
			},
			differs: func(us, them map[string]any) {
				if us["is_service_interrupt"] == true && them["is_service_interrupt"] == "true" {
					delete(us, "is_service_interrupt")
					delete(them, "is_service_interrupt")
				}
			},
			switches: coctest.Switches{TextBool: true},
		},
		"accept incident": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.HandleIncident(ctx, coc.IncidentAction{Num: w.incident, Operator: "u1", Key: coc.AcceptIncident})
				return err
			},
			theirs: handle("u1", "acceptedIncident1", nil),
		},
		"solve incident": {
			before: coctest.IncidentAcknowledged,
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.HandleIncident(ctx, coc.IncidentAction{Num: w.incident, Operator: "u1", Key: coc.CommitSolution,
					Solution: &coc.Solution{Type: "t", ServiceInterrupt: true, Cause: "c", Solution: "s"}})
				return err
			},
			theirs: handle("u1", "commitSolution1", map[string]any{"mtm_type": "t", "is_service_interrupt": true, "cause": "c", "solution": "s"}),
		},
		"confirm incident": {
			before: coctest.IncidentResolved,
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.HandleIncident(ctx, coc.IncidentAction{Num: w.incident, Operator: "u1", Key: coc.ConfirmIncident, Verdict: &coc.Verdict{OK: true, Comment: "ok"}})
				return err
			},
			theirs: handle("u1", "confirm", map[string]any{"virtual_confirm_result": true, "virtual_confirm_comment": "ok"}),
		},
		"get incident": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.GetIncident(ctx, w.incident)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.ShowCocIncidentDetail(&model.ShowCocIncidentDetailRequest{IncidentNum: w.incident})
			},
		},
		"list incidents": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, err := c.ListIncidents(ctx, coc.IncidentQuery{TitleLike: "磁盘", Creator: "u1", CreatedFrom: from, CreatedTo: to, Limit: 20, Offset: 20})
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				filter := func(name, operator, field, value string) model.ObjectFilterV2 {
					return model.ObjectFilterV2{Operator: operator, Field: field, Name: &name, Values: []any{value}}
				}
				return c.ListIncidents(&model.ListIncidentsRequest{Body: &model.ListTicketParamsWithPageV2{
					StringFilters: &[]model.ObjectFilterV2{
						filter("f1", "like", "title", "磁盘"), filter("f2", "=", "creator", "u1"),
						filter("f3", ">", "create_time", "1699999999999"), filter("f4", "<", "create_time", "4000000000001"),
					},
					SortFilter: &model.ObjectFilterV2{Operator: "desc", Field: "create_time", Values: []any{}},
					Page:       p[int32](2), PerPage: p[int32](20), ContainTotal: p(true),
				}})
			},
		},
		"list incident tickets": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, err := c.ListIncidentTickets(ctx, coc.TicketQuery{Limit: 30, Offset: 60})
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				return c.ListIncidentSimpleTickets(&model.ListIncidentSimpleTicketsRequest{Offset: p[int32](3), Limit: p[int32](30)})
			},
		},
		"remark incident, its task": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.RemarkIncident(ctx, w.incident, "still firing")
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.ShowIncidentTask(&model.ShowIncidentTaskRequest{IncidentId: w.incident})
			},
		},
		"remark incident": { // our body is read in TestClient_RemarkIncident of package coc
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				var params any = map[string]string{"note": "still firing"}
				return c.HandleIncident(&model.HandleIncidentRequest{IncidentId: w.incident, Body: &model.ExecuteActionParamsV2{TaskId: w.task, Action: "addRemark", Params: &params}})
			},
		},
	}
}

func scriptCalls() map[string]apiCall {
	properties := func(n coc.NewScript) *model.ScriptPropertiesModel {
		return &model.ScriptPropertiesModel{
			RiskLevel: model.GetScriptPropertiesModelRiskLevelEnum().HIGH, Version: n.Version, Protocol: p(model.GetScriptPropertiesModelProtocolEnum().SMS),
			Reviewers: &[]model.ReviewerInfo{{ReviewerName: n.Reviewers[0].Name, ReviewerId: n.Reviewers[0].ID}},
		}
	}
	params := func(n coc.NewScript) *[]model.ScriptParamDefine {
		x := n.Params[0]
		return &[]model.ScriptParamDefine{{ParamName: x.Name, ParamValue: x.Value, ParamDescription: x.Description, ParamOrder: 1, Sensitive: x.Sensitive}}
	}
	return map[string]apiCall{
		"create script": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, _, err := c.CreateScript(ctx, script())
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				n := script()
				return c.CreateScript(&model.CreateScriptRequest{Body: &model.AddScriptModel{
					Name: n.Name, Properties: properties(n), Description: n.Description, Type: model.GetAddScriptModelTypeEnum().PYTHON, Content: n.Content,
					EnterpriseProjectId: &n.EnterpriseProject, ScriptParams: params(n),
				}})
			},
		},
		"update script": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				n := script()
				_, err := c.UpdateScript(ctx, w.script, coc.ScriptChange{Description: n.Description, Content: n.Content, RiskLevel: n.RiskLevel,
					Version: n.Version, Reviewers: n.Reviewers, Protocol: n.Protocol, Params: n.Params})
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				n := script()
				return c.UpdateScript(&model.UpdateScriptRequest{ScriptUuid: w.script, Body: &model.EditScriptModel{
					Description: n.Description, Content: n.Content, Properties: properties(n), ScriptParams: params(n),
				}})
			},
		},
		"list scripts": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, err := c.ListScripts(ctx, coc.ScriptQuery{NameLike: "re start", Creator: "磁盘", RiskLevel: "LOW", Type: "SHELL", Limit: 7, After: 3})
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				return c.ListScripts(&model.ListScriptsRequest{NameLike: p("re start"), Creator: p("磁盘"), RiskLevel: p(model.GetListScriptsRequestRiskLevelEnum().LOW),
					Type: p(model.GetListScriptsRequestTypeEnum().SHELL), Limit: 7, Marker: p[int64](3)})
			},
		},
		"get script": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.GetScript(ctx, w.script)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.GetScript(&model.GetScriptRequest{ScriptUuid: w.script})
			},
		},
		"delete script": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.DeleteScript(ctx, w.script)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.DeleteScript(&model.DeleteScriptRequest{ScriptUuid: w.script})
			},
		},
		"execute script": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, _, err := c.ExecuteScript(ctx, scriptRun())
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.ExecuteScript(&model.ExecuteScriptRequest{ScriptUuid: w.script, Body: execution(scriptRun())})
			},
		},
		"list resources": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, err := c.ListResources(ctx, coc.ResourceQuery{IDs: []string{"h1", "h2"}, Name: "h", RegionID: "cn-north-4", AgentState: "ONLINE", Limit: 9, After: "r000001"})
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				return c.ListResources(&model.ListResourcesRequest{Provider: "ecs", Type: "cloudservers", ResourceIdList: &[]string{"h1", "h2"}, Name: p("h"),
					RegionId: p("cn-north-4"), AgentState: p("ONLINE"), Limit: 9, Marker: p("r000001")})
			},
		},
	}
}

// execution is the run as a caller of the SDK writes it down.
func execution(r coc.Run) *model.ScriptExecuteModel {
	rotation, kind := model.GetExecuteInstancesBatchInfoRotationStrategyEnum(), model.GetExecuteResourceInstanceTypeEnum()
	m := &model.ScriptExecuteModel{ExecuteParam: &model.ScriptExecuteParam{
		Resourceful: p(true), Timeout: int32(r.Timeout / time.Second), SuccessRate: r.SuccessRate, ExecuteUser: r.User,
		ScriptParams: &[]model.ScriptExecuteInputParam{{ParamName: r.Params[0].Name, ParamValue: r.Params[0].Value, ParamOrder: p[int32](1)}},
	}}
	for i, batch := range r.Batches {
		b := model.ExecuteInstancesBatchInfo{BatchIndex: int32(i + 1), RotationStrategy: rotation.CONTINUE}
		if batch.Pause {
			b.RotationStrategy = rotation.PAUSE
		}
		for _, t := range batch.Targets {
			b.TargetInstances = append(b.TargetInstances, model.ExecuteResourceInstance{
				ResourceId: t.ResourceID, RegionId: t.RegionID, Provider: p("ECS"), Type: &kind.CLOUDSERVER, AgentSn: &t.AgentSN, ProjectId: &t.ProjectID,
				CustomAttributes: &[]model.Customttribute{{Key: t.Attributes[0].Key, Value: t.Attributes[0].Value}},
			})
		}
		m.ExecuteBatches = append(m.ExecuteBatches, b)
	}
	return m
}

func orderCalls() map[string]apiCall {
	all := map[string]apiCall{
		"get order": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.GetOrder(ctx, w.order)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.GetScriptJobInfo(&model.GetScriptJobInfoRequest{ExecuteUuid: w.order})
			},
		},
		"list batches": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.OrderBatches(ctx, w.order)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.ListScriptJobBatches(&model.ListScriptJobBatchesRequest{ExecuteUuid: w.order})
			},
		},
		"get statistics": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.OrderStatistics(ctx, w.order)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.GetScriptJobStatistics(&model.GetScriptJobStatisticsRequest{ExecuteUuid: w.order})
			},
		},
		"get batch": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.ListHostRuns(ctx, coc.HostRunQuery{Order: w.order, Batch: 2, Status: coc.OrderFinished, Limit: 5})
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.GetScriptJobBatch(&model.GetScriptJobBatchRequest{ExecuteUuid: w.order, BatchIndex: 2, Limit: 5, Marker: p[int64](0),
					Status: p(model.GetGetScriptJobBatchRequestStatusEnum().FINISHED)})
			},
		},
		"list orders": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, err := c.ListOrders(ctx, coc.OrderQuery{From: time.UnixMilli(1700000000000), To: time.UnixMilli(4000000000000), Creator: "coctest",
					Status: coc.OrderPaused, Limit: 8, After: 99})
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				return c.ListScriptJobs(&model.ListScriptJobsRequest{StartTime: p[int64](1700000000000), EndTime: p[int64](4000000000000), Creator: p("coctest"),
					Status: p(model.GetListScriptJobsRequestStatusEnum().PAUSED), Limit: p[int32](8), Marker: p[int64](99)})
			},
		},
	}
	operations := model.GetJobScriptOrderOperationBodyOperationTypeEnum()
	for name, of := range map[string]struct {
		ours   coc.OrderOperation
		theirs func(w world) *model.JobScriptOrderOperationBody
	}{
		"cancel order": {coc.OrderOperation{Operation: coc.CancelOrder}, func(world) *model.JobScriptOrderOperationBody {
			return &model.JobScriptOrderOperationBody{OperationType: operations.CANCEL_ORDER}
		}},
		"pause order": {coc.OrderOperation{Operation: coc.PauseOrder}, func(world) *model.JobScriptOrderOperationBody {
			return &model.JobScriptOrderOperationBody{OperationType: operations.PAUSE_ORDER}
		}},
		"skip batch": {coc.OrderOperation{Operation: coc.SkipBatch, Batch: 2}, func(world) *model.JobScriptOrderOperationBody {
			return &model.JobScriptOrderOperationBody{OperationType: operations.SKIP_BATCH, BatchIndex: p[int32](2)}
		}},
		"cancel a host": {coc.OrderOperation{Operation: coc.CancelHost, Host: 2}, func(w world) *model.JobScriptOrderOperationBody {
			return &model.JobScriptOrderOperationBody{OperationType: operations.CANCEL_INSTANCE, InstanceId: &w.host}
		}},
	} {
		all[name] = apiCall{
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				of.ours.Order = w.order
				_, err := c.OperateOrder(ctx, of.ours)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.OperateScriptJob(&model.OperateScriptJobRequest{ExecuteUuid: w.order, Body: of.theirs(w)})
			},
		}
	}
	return all
}

func documentCalls() map[string]apiCall {
	return map[string]apiCall{
		"get document": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, err := c.GetDocument(ctx, job().Document)
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				d := job().Document
				return c.GetDocument(&model.GetDocumentRequest{DocumentId: d.ID, Version: &d.Version, DocumentType: &d.Type})
			},
		},
		"execute document": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, _, err := c.ExecuteDocument(ctx, job())
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				j := job()
				return c.ExecuteDocument(&model.ExecuteDocumentRequest{DocumentId: j.Document.ID, Body: &model.ExecuteDocumentRequestBody{
					Version: &j.Document.Version, Description: &j.Description, DocumentType: p(model.GetExecuteDocumentRequestBodyDocumentTypeEnum().PRIVATE),
					Parameters: &[]model.ExecuteDocumentRequestBodyParameters{{Key: &j.Parameters[0].Name, Value: &j.Parameters[0].Value}},
					SysTags:    &[]model.ExecuteDocumentRequestBodySysTags{{Key: &j.SysTags[0].Key, Value: &j.SysTags[0].Value}},
				}})
			},
		},
		"get execution": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.GetExecution(ctx, w.execution)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.GetExecution(&model.GetExecutionRequest{ExecutionId: w.execution})
			},
		},
		"list execution steps": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.ListExecutionSteps(ctx, coc.StepQuery{Execution: w.execution, Limit: 4, Offset: 8})
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.ListExecutionSteps(&model.ListExecutionStepsRequest{ExecutionId: w.execution, Limit: p[int32](4), Offset: p[int64](8)})
			},
		},
		"list executions": {
			ours: func(ctx context.Context, c *coc.Client, _ world) error {
				_, err := c.ListExecutions(ctx, coc.ExecutionQuery{Document: "DM1", Name: "fail", Creator: "coc", From: time.UnixMilli(1700000000000), To: time.UnixMilli(4000000000000), Limit: 6})
				return err
			},
			theirs: func(c *sdk.CocClient, _ world) (any, error) {
				return c.ListExecutions(&model.ListExecutionsRequest{DocumentId: p("DM1"), DocumentName: p("fail"), Creator: p("coc"), StartTime: p[int64](1699999999999),
					EndTime: p[int64](4000000000001), Limit: p[int32](6), Offset: p[int64](0)})
			},
			switches: coctest.Switches{TextIDs: true}, // the SDK takes no number for an id here
		},
		"operate execution": {
			ours: func(ctx context.Context, c *coc.Client, w world) error {
				_, err := c.OperateExecution(ctx, w.execution, coc.TerminateExecution)
				return err
			},
			theirs: func(c *sdk.CocClient, w world) (any, error) {
				return c.OperateExecution(&model.OperateExecutionRequest{Body: &model.OperateExecutionRequestBody{ExecutionId: w.execution, OperateType: "TERMINATE"}})
			},
		},
	}
}
