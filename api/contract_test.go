package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/api"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
)

// The answers in full: their keys are a promise to programs elsewhere, and so
// is what is left out where there is nothing to say.
func TestAnswersInFull(t *testing.T) {
	t.Parallel()
	h := world(t, 4, 0)
	for _, c := range []struct{ path, want string }{
		{"/dashboards/halyardsons/tabs/unit1", `{
  "name": "unit <1>",
  "test_group_name": "unit",
  "description": "The tests.",
  "summary": {
    "dashboard": "Halyard & Sons",
    "tab": "unit <1>",
    "description": "The tests.",
    "test_group": "unit",
    "job": "unit",
    "summary": {
      "status": "FAILING",
      "text": "Tab stats: 1 of 4 (25.0%) recent columns passed (6 of 12 or 50.0% cells)",
      "alerts": [
        {
          "test": "unit.Overall",
          "fails": 3,
          "first_fail": {
            "build": "2",
            "started": "2026-03-07T08:00:00Z",
            "finished": "2026-03-07T08:01:00Z",
            "result": "FAILURE",
            "extra": [
              "c0ffee2"
            ]
          },
          "latest_fail": {
            "build": "4",
            "started": "2026-03-07T10:00:00Z",
            "finished": "2026-03-07T10:01:00Z",
            "result": "FAILURE",
            "extra": [
              "c0ffee4"
            ]
          },
          "last_pass": {
            "build": "1",
            "started": "2026-03-07T07:00:00Z",
            "finished": "2026-03-07T07:01:00Z",
            "result": "SUCCESS",
            "extra": [
              "c0ffee1"
            ]
          },
          "message": "",
          "headers": {
            "Commit": "c0ffee2"
          }
        },
        {
          "test": "knot.TestSheet",
          "fails": 3,
          "first_fail": {
            "build": "2",
            "started": "2026-03-07T08:00:00Z",
            "finished": "2026-03-07T08:01:00Z",
            "result": "FAILURE",
            "extra": [
              "c0ffee2"
            ]
          },
          "latest_fail": {
            "build": "4",
            "started": "2026-03-07T10:00:00Z",
            "finished": "2026-03-07T10:01:00Z",
            "result": "FAILURE",
            "extra": [
              "c0ffee4"
            ]
          },
          "last_pass": {
            "build": "1",
            "started": "2026-03-07T07:00:00Z",
            "finished": "2026-03-07T07:01:00Z",
            "result": "SUCCESS",
            "extra": [
              "c0ffee1"
            ]
          },
          "message": "slipped & fell",
          "headers": {
            "Commit": "c0ffee2"
          }
        }
      ],
      "latest_green": "c0ffee1",
      "stats": {
        "passing_columns": 1,
        "completed_columns": 4,
        "ignored_columns": 0,
        "passing_cells": 6,
        "filled_cells": 12
      },
      "standing": "FAILING",
      "last_run": "2026-03-07T10:00:00Z",
      "rows": 3
    },
    "last_run": "2026-03-07T10:00:00Z",
    "updated": "2026-03-07T12:00:00Z",
    "recent": [
      12,
      12,
      12,
      1
    ]
  }
}`},
		{"/dashboards/halyardsons/tab-summaries", `{
  "tab_summaries": [
    {
      "dashboard_name": "Halyard & Sons",
      "tab_name": "unit <1>",
      "overall_status": "FAILING",
      "detailed_status_message": "Tab stats: 1 of 4 (25.0%) recent columns passed (6 of 12 or 50.0% cells)",
      "last_run_timestamp": {
        "seconds": 1772877600
      },
      "last_update_timestamp": {
        "seconds": 1772884800
      },
      "latest_passing_build": "c0ffee1",
      "latest_green": "c0ffee1",
      "failures_summary": {
        "top_failing_tests": [
          {
            "display_name": "unit.Overall",
            "fail_count": 3,
            "pass_timestamp": {
              "seconds": 1772866800
            },
            "fail_timestamp": {
              "seconds": 1772870400
            }
          },
          {
            "display_name": "knot.TestSheet",
            "fail_count": 3,
            "pass_timestamp": {
              "seconds": 1772866800
            },
            "fail_timestamp": {
              "seconds": 1772870400
            }
          }
        ],
        "failure_stats": {
          "num_failing_tests": 2
        }
      }
    },
    {
      "dashboard_name": "Halyard & Sons",
      "tab_name": "empty",
      "overall_status": "UNKNOWN",
      "detailed_status_message": "no completed results",
      "latest_passing_build": "no recent greens",
      "latest_green": "no recent greens"
    }
  ]
}`},
		{"/dashboards/halyardsons/tabs/unit1/rows", `{
  "rows": [
    {
      "name": "unit.Overall",
      "cells": [
        {
          "result": 12
        },
        {
          "result": 12
        },
        {
          "result": 12
        },
        {
          "result": 1
        }
      ],
      "alert": {
        "fail_count": 3,
        "fail_build_id": "2",
        "fail_time": {
          "seconds": 1772870400
        },
        "latest_fail_build_id": "4",
        "pass_build_id": "1",
        "pass_time": {
          "seconds": 1772866800
        }
      }
    },
    {
      "name": "knot.TestBowline",
      "cells": [
        {
          "result": 1
        },
        {
          "result": 1
        },
        {
          "result": 1
        },
        {
          "result": 1
        }
      ]
    },
    {
      "name": "knot.TestSheet",
      "cells": [
        {
          "result": 12,
          "message": "slipped & fell",
          "icon": "F"
        },
        {
          "result": 12,
          "message": "slipped & fell",
          "icon": "F"
        },
        {
          "result": 12,
          "message": "slipped & fell",
          "icon": "F"
        },
        {
          "result": 1
        }
      ],
      "alert": {
        "fail_count": 3,
        "fail_build_id": "2",
        "fail_time": {
          "seconds": 1772870400
        },
        "latest_fail_build_id": "4",
        "pass_build_id": "1",
        "pass_time": {
          "seconds": 1772866800
        },
        "failure_message": "slipped & fell"
      }
    }
  ]
}`},
		{"/dashboards/calm/tabs/other/grid?columns=2", `{
  "dashboard": "calm",
  "tab": "other",
  "status": "PASSING",
  "text": "Tab stats: 4 of 4 (100.0%) recent columns passed (12 of 12 or 100.0% cells)",
  "alerts": [],
  "latest_green": "4",
  "job": "other",
  "columns": [
    {
      "build": "4",
      "started": "2026-03-07T10:00:00Z",
      "finished": "2026-03-07T10:01:00Z",
      "result": "SUCCESS"
    },
    {
      "build": "3",
      "started": "2026-03-07T09:00:00Z",
      "finished": "2026-03-07T09:01:00Z",
      "result": "SUCCESS"
    }
  ],
  "columns_from": 0,
  "columns_total": 4,
  "rows": [
    {
      "name": "other.Overall",
      "runs": [
        1,
        2
      ]
    },
    {
      "name": "knot.TestBowline",
      "runs": [
        1,
        2
      ]
    },
    {
      "name": "knot.TestSheet",
      "runs": [
        1,
        2
      ]
    }
  ],
  "rows_from": 0,
  "rows_total": 3,
  "rows_all": 3,
  "texts": [
    ""
  ]
}`},
		{"/dashboards/halyardsons/tabs/unit1/grid?include=Sheet&columns=1", `{
  "dashboard": "Halyard & Sons",
  "tab": "unit <1>",
  "status": "FAILING",
  "text": "Tab stats: 1 of 4 (25.0%) recent columns passed (6 of 12 or 50.0% cells)",
  "alerts": [
    {
      "test": "unit.Overall",
      "fails": 3,
      "first_fail": {
        "build": "2",
        "started": "2026-03-07T08:00:00Z",
        "finished": "2026-03-07T08:01:00Z",
        "result": "FAILURE",
        "extra": [
          "c0ffee2"
        ]
      },
      "latest_fail": {
        "build": "4",
        "started": "2026-03-07T10:00:00Z",
        "finished": "2026-03-07T10:01:00Z",
        "result": "FAILURE",
        "extra": [
          "c0ffee4"
        ]
      },
      "last_pass": {
        "build": "1",
        "started": "2026-03-07T07:00:00Z",
        "finished": "2026-03-07T07:01:00Z",
        "result": "SUCCESS",
        "extra": [
          "c0ffee1"
        ]
      },
      "message": "",
      "headers": {
        "Commit": "c0ffee2"
      }
    },
    {
      "test": "knot.TestSheet",
      "fails": 3,
      "first_fail": {
        "build": "2",
        "started": "2026-03-07T08:00:00Z",
        "finished": "2026-03-07T08:01:00Z",
        "result": "FAILURE",
        "extra": [
          "c0ffee2"
        ]
      },
      "latest_fail": {
        "build": "4",
        "started": "2026-03-07T10:00:00Z",
        "finished": "2026-03-07T10:01:00Z",
        "result": "FAILURE",
        "extra": [
          "c0ffee4"
        ]
      },
      "last_pass": {
        "build": "1",
        "started": "2026-03-07T07:00:00Z",
        "finished": "2026-03-07T07:01:00Z",
        "result": "SUCCESS",
        "extra": [
          "c0ffee1"
        ]
      },
      "message": "slipped & fell",
      "headers": {
        "Commit": "c0ffee2"
      }
    }
  ],
  "latest_green": "c0ffee1",
  "job": "unit",
  "headers": [
    "Commit"
  ],
  "columns": [
    {
      "build": "4",
      "started": "2026-03-07T10:00:00Z",
      "finished": "2026-03-07T10:01:00Z",
      "result": "FAILURE",
      "extra": [
        "c0ffee4"
      ]
    }
  ],
  "columns_from": 0,
  "columns_total": 4,
  "rows": [
    {
      "name": "knot.TestSheet",
      "runs": [
        12,
        1
      ],
      "notes": [
        0,
        2,
        1
      ]
    }
  ],
  "rows_from": 0,
  "rows_total": 1,
  "rows_all": 3,
  "texts": [
    "",
    "slipped & fell",
    "F"
  ]
}`},
	} {
		w := get(t, h, "/api/v1"+c.path)
		var got bytes.Buffer
		if err := json.Indent(&got, w.Body.Bytes(), "", "  "); err != nil || w.Code != http.StatusOK {
			t.Errorf("%s: %d, %v", c.path, w.Code, err)
			continue
		}
		if diff := cmp.Diff(c.want, strings.TrimSpace(got.String())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, diff)
		}
	}
}

// told is a signal that says what a test wants it to say.
type told struct {
	config    dashboard.Config
	summaries []signal.TabSummary
	grid      *grid.Grid
	err       error
}

func (s told) Dashboards(context.Context) (dashboard.Config, error) { return s.config, s.err }

func (s told) Summaries(_ context.Context, dash string) ([]signal.TabSummary, error) {
	if _, ok := s.config.Dashboard(dash); !ok && s.err == nil {
		return nil, fmt.Errorf("dashboard %s: %w", dash, fs.ErrNotExist)
	}
	return s.summaries, s.err
}

func (s told) TabGrid(_ context.Context, dash, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	t, group, ok := s.config.Tab(dash, tab)
	if !ok && s.err == nil {
		return nil, t, grid.Options{}, fs.ErrNotExist
	}
	return s.grid, t, t.Options(group), s.err
}

func (s told) Reading(context.Context, string, string) bool { return true }

func serve(s api.Signal) http.Handler {
	return api.Grids(api.GridOptions{Signal: s, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
}

// routes are all that is answered, of one dashboard and one tab.
func routes() []string {
	return []string{
		"/api/v1/dashboards", "/api/v1/dashboards/calm", "/api/v1/dashboards/calm/summary", "/api/v1/dashboards/calm/tabs", "/api/v1/dashboards/calm/tabs/other",
		"/api/v1/dashboards/calm/tabs/other/grid", "/api/v1/dashboards/calm/tabs/other/headers", "/api/v1/dashboards/calm/tabs/other/rows",
		"/api/v1/dashboards/calm/tab-summaries", "/api/v1/dashboards/calm/tab-summaries/other", "/api/v1/dashboard-groups", "/api/v1/dashboard-groups/harbour",
		"/api/v1/dashboard-groups/harbour/dashboard-summaries", "/badge/calm.svg", "/badge/calm/other.svg", "/q/summary/calm/other/tests_status", "/q/summary/calm/other/tests_status?style=svg",
	}
}

// Every route says the same of a service that fails: what failed, in one
// object, with the code of a server's fault; and of one who has gone, nothing
// that would alarm anybody.
func TestRoutesOfAServiceThatFails(t *testing.T) {
	t.Parallel()
	broken := serve(told{err: errors.New("the bucket is out of reach")})
	gone, leave := context.WithCancel(t.Context())
	leave()
	missing := serve(told{err: fmt.Errorf("reading: %w", fs.ErrNotExist)})
	for _, path := range routes() {
		w := get(t, broken, path)
		var answer map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusInternalServerError || len(answer) != 1 || !strings.Contains(answer["error"], "the bucket is out of reach") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("ETag") != "" {
			t.Errorf("%s: %v", path, w.Header())
		}
		if w := get(t, missing, path); w.Code != http.StatusNotFound {
			t.Errorf("%s of what is not there: %d", path, w.Code)
		}
		left := httptest.NewRecorder()
		broken.ServeHTTP(left, httptest.NewRequestWithContext(gone, http.MethodGet, path, nil))
		if left.Code != http.StatusRequestTimeout {
			t.Errorf("%s for one who has gone: %d", path, left.Code)
		}
	}
}

// Nothing is written through this API: whatever is tried is refused, and the
// same is answered to HEAD as to GET, without the body.
func TestRoutesAreForReading(t *testing.T) {
	t.Parallel()
	h := world(t, 2, 0)
	for _, path := range routes() {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("{}")))
			if w.Code < 400 || w.Code >= 500 {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
		whole := get(t, h, path)
		head := httptest.NewRecorder()
		h.ServeHTTP(head, httptest.NewRequest(http.MethodHead, path, nil))
		if whole.Code != head.Code || whole.Header().Get("ETag") != head.Header().Get("ETag") || whole.Header().Get("Content-Type") != head.Header().Get("Content-Type") {
			t.Errorf("HEAD %s: %d %v; GET: %d %v", path, head.Code, head.Header(), whole.Code, whole.Header())
		}
		if whole.Code == http.StatusOK {
			if policy := whole.Header().Get("Content-Security-Policy"); policy != "default-src 'none'" {
				t.Errorf("%s: the content policy is %q", path, policy)
			}
			if again := get(t, h, path); again.Body.String() != whole.Body.String() {
				t.Errorf("%s answers something else the second time", path)
			}
		}
	}
}

// calmBoard is one dashboard of one tab, in one group.
func calmBoard() dashboard.Config {
	return dashboard.Config{
		DashboardGroups: []dashboard.Group{{Name: "Harbour", Dashboards: []string{"calm"}}},
		Dashboards:      []dashboard.Dashboard{{Name: "calm", Tabs: []dashboard.Tab{{Name: "other", TestGroup: "other"}}}},
		TestGroups:      []dashboard.TestGroup{{Name: "other", Prefix: "b/logs/other"}},
	}
}
